# The image of every node: docker build --target cpu -t pubray .      for those with a GPU: --target gpu
#
# It runs as uid 10001 on a root file system that may be read-only: /tmp and /cache are volumes.
ARG BASE=docker.io/library/python:3.11.14-slim-bookworm@sha256:65a93d69fa75478d554f4ad27c85c1e69fa184956261b4301ebaf6dbb0a3543d

FROM ${BASE} AS build
# Where a build has indexes, wheels or certificates of its own. ARGs are the environment of RUN, and nothing of the image.
ARG PIP_INDEX_URL PIP_CERT UV_DEFAULT_INDEX UV_FIND_LINKS SSL_CERT_FILE
WORKDIR /app
RUN python3 -m venv /uv && /uv/bin/pip install --no-cache-dir --quiet uv==0.13.9
COPY pyproject.toml constraints.txt README.md LICENSE ./

# Compiled here, where it is done once; no caches stay. CPU_BACKEND is empty where wheels of one's own are given.
FROM build AS build-cpu
# Again: not every builder knows in a stage what the one before it was given.
ARG UV_DEFAULT_INDEX UV_FIND_LINKS SSL_CERT_FILE
ARG CPU_BACKEND=cpu
RUN python3 -m venv --without-pip /venv \
    && /uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /venv/bin/python \
       ${CPU_BACKEND:+--torch-backend "$CPU_BACKEND"} --constraints constraints.txt -e '.[cpu]'
# Tests, headers for compilers that are not here, and other languages: 0.3 GB.
WORKDIR /venv/lib/python3.11/site-packages
RUN rm -rf torch/test torch/include ray/jars ray/cpp ray/rllib pyarrow/include openvino/include \
    && find torch/bin -type f ! -name torch_shm_manager -delete \
    && find . -type d -name tests -prune -exec rm -rf {} +

# FAISS stays on the CPU: faiss-gpu would bring a second CUDA runtime beside torch's.
FROM build AS build-gpu
ARG UV_DEFAULT_INDEX UV_FIND_LINKS SSL_CERT_FILE
ARG GPU_BACKEND=cu130
RUN python3 -m venv --without-pip /venv \
    && /uv/bin/uv pip install --quiet --no-cache --compile-bytecode --python /venv/bin/python \
       --torch-backend "$GPU_BACKEND" --constraints constraints.txt -e '.[cpu]'

FROM ${BASE} AS run
ARG COMMIT=unknown
LABEL org.opencontainers.image.title="pubray" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.revision="${COMMIT}"
RUN useradd --uid 10001 --create-home pubray && install -d -o pubray /cache
WORKDIR /app
COPY --chown=10001 . .
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PUBRAY_CACHE=/cache
VOLUME ["/tmp", "/cache"]
USER 10001
# Kubernetes asks the service itself; a job is watched by who started it.
HEALTHCHECK NONE
ENTRYPOINT ["pubray"]

FROM run AS gpu
COPY --from=build-gpu /venv /venv
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

FROM run AS cpu
COPY --from=build-cpu /venv /venv
