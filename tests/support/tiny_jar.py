"""A jar with one class, which writes its arguments to the file that the first of them names.

The tests need no JDK: this is the class as compiled by `javac --release 8 -g:none`:

    public class Told {
        public static void main(String[] arguments) throws IOException {
            String told = Arrays.toString(arguments) + " " + System.getProperty("told.property");
            Files.write(Paths.get(arguments[0]), told.getBytes("UTF-8"));
        }
    }
"""

import base64
import zipfile
from pathlib import Path

TOLD = """
yv66vgAAADQAPwoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWBwAIAQAXamF2YS9sYW5nL1N0
cmluZ0J1aWxkZXIKAAcAAwoACwAMBwANDAAOAA8BABBqYXZhL3V0aWwvQXJyYXlzAQAIdG9TdHJpbmcBACcoW0xqYXZhL2xhbmcv
T2JqZWN0OylMamF2YS9sYW5nL1N0cmluZzsKAAcAEQwAEgATAQAGYXBwZW5kAQAtKExqYXZhL2xhbmcvU3RyaW5nOylMamF2YS9s
YW5nL1N0cmluZ0J1aWxkZXI7CAAVAQABIAgAFwEADXRvbGQucHJvcGVydHkKABkAGgcAGwwAHAAdAQAQamF2YS9sYW5nL1N5c3Rl
bQEAC2dldFByb3BlcnR5AQAmKExqYXZhL2xhbmcvU3RyaW5nOylMamF2YS9sYW5nL1N0cmluZzsKAAcAHwwADgAgAQAUKClMamF2
YS9sYW5nL1N0cmluZzsHACIBABBqYXZhL2xhbmcvU3RyaW5nCgAkACUHACYMACcAKAEAE2phdmEvbmlvL2ZpbGUvUGF0aHMBAANn
ZXQBADsoTGphdmEvbGFuZy9TdHJpbmc7W0xqYXZhL2xhbmcvU3RyaW5nOylMamF2YS9uaW8vZmlsZS9QYXRoOwgAKgEABVVURi04
CgAhACwMAC0ALgEACGdldEJ5dGVzAQAWKExqYXZhL2xhbmcvU3RyaW5nOylbQgcAMAEAGGphdmEvbmlvL2ZpbGUvT3Blbk9wdGlv
bgoAMgAzBwA0DAA1ADYBABNqYXZhL25pby9maWxlL0ZpbGVzAQAFd3JpdGUBAEcoTGphdmEvbmlvL2ZpbGUvUGF0aDtbQltMamF2
YS9uaW8vZmlsZS9PcGVuT3B0aW9uOylMamF2YS9uaW8vZmlsZS9QYXRoOwcAOAEABFRvbGQBAARDb2RlAQAEbWFpbgEAFihbTGph
dmEvbGFuZy9TdHJpbmc7KVYBAApFeGNlcHRpb25zBwA+AQATamF2YS9pby9JT0V4Y2VwdGlvbgAhADcAAgAAAAAAAgABAAUABgAB
ADkAAAARAAEAAQAAAAUqtwABsQAAAAAACQA6ADsAAgA5AAAARAADAAIAAAA4uwAHWbcACSq4AAq2ABASFLYAEBIWuAAYtgAQtgAe
TCoDMgO9ACG4ACMrEim2ACsDvQAvuAAxV7EAAAAAADwAAAAEAAEAPQAA
"""


def make_jar(path: Path, main_class: str | None) -> Path:
    manifest = "Manifest-Version: 1.0\n" + (f"Main-Class: {main_class}\n" if main_class else "")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", manifest)
        archive.writestr("Told.class", base64.b64decode(TOLD))
    return path
