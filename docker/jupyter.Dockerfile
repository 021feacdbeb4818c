# JupyterLab with this project's notebook.
ARG PYTHON_IMAGE
FROM ${PYTHON_IMAGE}

WORKDIR /opt/orchard
COPY notebooks/requirements.txt notebooks/requirements-jupyterlab.txt notebooks/
RUN pip install --quiet --no-cache-dir --require-hashes --requirement notebooks/requirements.txt --requirement notebooks/requirements-jupyterlab.txt

COPY docker docker
COPY notebooks notebooks
RUN install --directory --group 0 --mode 0770 /home/jupyter && cp notebooks/explore.ipynb /home/jupyter/ && chmod 0660 /home/jupyter/explore.ipynb
ENV HOME=/home/jupyter
USER 50000:0
WORKDIR /home/jupyter
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser"]
