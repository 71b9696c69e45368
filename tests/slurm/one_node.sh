#!/usr/bin/env bash
# A Slurm of one node on this machine, from Debian's packages, without systemd: `one_node.sh start FOLDER`, `stop FOLDER`.
# Needs root, and the packages slurm-wlm and munge (apt-get install --no-install-recommends slurm-wlm munge).
# `restart-node FOLDER` kills slurmd and starts it again. Two pretend GPUs.
set -euo pipefail
action=$1 folder=$2
host=$(hostname -s)

start() {
    if [ -e /etc/slurm/slurm.conf ] && ! grep -q ClusterName=zfnet-test /etc/slurm/slurm.conf; then
        echo "/etc/slurm/slurm.conf belongs to another cluster; it is left alone." >&2
        exit 3
    fi
    local memory=$(($(awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo) - 512))
    mkdir -p "$folder"/{state,spool,log} /run/munge /etc/slurm
    chmod 755 "$folder" "$folder"/* /run/munge
    dd if=/dev/urandom of="$folder/munge.key" bs=1 count=1024 status=none
    chmod 600 "$folder/munge.key"
    munged --key-file="$folder/munge.key" --socket=/run/munge/munge.socket.2 --pid-file="$folder/munged.pid" \
        --log-file="$folder/log/munged.log" --seed-file="$folder/munge.seed" --force
    cat > /etc/slurm/slurm.conf << END
ClusterName=zfnet-test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=256
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
JobRequeue=1
MinJobAge=3600
InactiveLimit=0
KillWait=10
OverTimeLimit=0
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$memory Gres=gpu:fake:2 State=UNKNOWN
PartitionName=cpu Nodes=$host Default=YES MaxTime=60 State=UP OverSubscribe=NO
END
    local gpu="NodeName=$host Name=gpu Type=fake Flags=no_gpu_env" # jobs must not believe that there is one
    printf '%s\n' AutoDetect=off "$gpu File=/dev/null" "$gpu File=/dev/zero" > /etc/slurm/gres.conf
    printf '%s\n' CgroupPlugin=cgroup/v1 CgroupAutomount=no ConstrainCores=no ConstrainRAMSpace=no > /etc/slurm/cgroup.conf
    slurmctld
    slurmd
    wait_until_idle
}

wait_until_idle() {
    for _ in $(seq 150); do
        if sinfo -h -o %T 2> /dev/null | grep -qE "^(idle|mixed|allocated)$"; then return; fi
        sleep 0.2
    done
    sinfo >&2
    exit 1
}

end() { # NAME [SIGNAL]: end the daemon whose process id is in NAME.pid
    local pid
    pid=$(cat "$folder/$1.pid" 2> /dev/null) || return 0
    kill "${2:--TERM}" "$pid" 2> /dev/null || return 0
    for _ in $(seq 50); do
        kill -0 "$pid" 2> /dev/null || return 0
        sleep 0.2
    done
    kill -KILL "$pid" 2> /dev/null || true
}

case $action in
    start) start ;;
    stop)
        for daemon in slurmd slurmctld munged; do end "$daemon"; done
        if grep -qs ClusterName=zfnet-test /etc/slurm/slurm.conf; then rm -f /etc/slurm/{slurm,gres,cgroup}.conf; fi
        ;;
    restart-node)
        end slurmd -KILL
        slurmd
        wait_until_idle
        ;;
    *) echo "start, stop or restart-node" >&2 && exit 2 ;;
esac
