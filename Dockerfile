# The locked environment with zfnet in it; also the source of an Apptainer image for --sdm apptainer.
# On a GPU: docker run --gpus all, or apptainer run --nv; the driver is the host's (docs/gpu.md). Triton needs gcc.
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends git gcc g++ libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /zfnet
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY . .
RUN pip install --no-cache-dir --no-deps --editable .
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]
