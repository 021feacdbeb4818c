"""Choose the storage for a URI."""

from orchard.lake.objects import Storage, local_path
from orchard.lake.storage_files import FileStorage
from orchard.lake.storage_s3 import S3Storage
from orchard.settings.aws import Access


def storage_for(uri: str, access: Access) -> Storage:
    """Return the storage for everything below ``uri``, which is ``file://`` or ``s3://``."""
    return S3Storage.of(access) if uri.startswith("s3://") else FileStorage(local_path(uri))
