# The locked environment with zfnet in it; also the source of an Apptainer image for --sdm apptainer.
# On a GPU: docker run --gpus all, or apptainer run --nv; the driver is the host's (docs/gpu.md). Triton needs gcc.
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends git gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /zfnet
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --editable .
# For any user (docker run -u, OpenShift): a home to write to, and the working folder.
ENV HOME=/tmp XDG_CACHE_HOME=/tmp/.cache
RUN chmod -R a+rwX /zfnet
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]
