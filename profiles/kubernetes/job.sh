#!/usr/bin/env bash
# One job of the workflow as a Job of Kubernetes (see config.yaml):
#   job.sh submit RULE THREADS MEMORY_MB GPUS MINUTES SCRIPT   creates it and prints its name
#   job.sh status NAME                                         prints running, success or failed
set -euo pipefail

submit() {
    local rule=$1 threads=$2 memory=$3 gpus=$4 minutes=$5 script name
    script=$(realpath "$6")
    name=zfnet-${rule//_/-}-$(date +%s)-$RANDOM
    : "${ZFNET_IMAGE:?name the image made from the Dockerfile}" "${ZFNET_CLAIM:?name the claim of the shared volume}"
    : "${ZFNET_MOUNT:?name the folder of the shared volume}"
    kubectl create -f - >&2 << END
apiVersion: batch/v1
kind: Job
metadata: {name: "$name", labels: {app: zfnet}}
spec:
  backoffLimit: 0
  activeDeadlineSeconds: $((minutes * 60))
  ttlSecondsAfterFinished: 86400
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: job
          image: "$ZFNET_IMAGE"
          workingDir: "$PWD"
          command: [bash, "$script"]
          resources:
            requests: {cpu: $threads, memory: ${memory}M}
            limits: {memory: ${memory}M, nvidia.com/gpu: $gpus}
          volumeMounts: [{name: work, mountPath: "$ZFNET_MOUNT"}]
      volumes: [{name: work, persistentVolumeClaim: {claimName: "$ZFNET_CLAIM"}}]
END
    echo "$name"
}

status() {
    local counts # of succeeded and failed pods; no answer may be a busy server's, no job is a deleted one
    counts=$(kubectl get job "$1" --ignore-not-found -o "jsonpath={.status.succeeded}/{.status.failed}") || counts=/
    case $counts in
        /) echo running ;;
        1/*) echo success ;;
        *) echo failed ;;
    esac
}

"$@"
