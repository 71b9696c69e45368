# What jobs ask a scheduler for: threads, memory and time as parts of the settings below `jobs`, in one place.
# Facts of a cluster (partitions, accounts) belong in a profile.
SHARES = {  # parts of jobs.memory_mb, jobs.runtime_minutes and jobs.threads
    "shards": (1 / 4, 1, 1),
    "train": (1, 1, 1),
    "scratch": (1, 1, 1),
    "evaluate": (1 / 2, 1 / 2, 1),
    "submission": (1 / 2, 1 / 2, 1),
    "duplicates": (1 / 2, 1 / 2, 1),
    "transfer_features": (1 / 2, 1 / 2, 1),
    "heads": (1, 1 / 2, 1),  # the features of one layer of all images
    "voc": (1 / 2, 1 / 4, 1),
    "voc_test": (1 / 2, 1 / 4, 1),
    "features": (1 / 2, 1 / 2, 1),
    "controls": (1 / 4, 1 / 4, 1 / 2),
    "evolution": (1 / 4, 1 / 4, 1 / 2),
    "invariance": (1 / 4, 1 / 8, 1 / 4),
    "occlusion": (1 / 4, 1 / 4, 1 / 4),
    "correspondence": (1 / 4, 1 / 8, 1 / 4),
    "filters": (1 / 4, 1 / 8, 1 / 4),
    "compare_methods": (1 / 4, 1 / 4, 1 / 4),
}
LEAST_MEMORY_MB, LEAST_MINUTES = 2000, 20  # loading torch takes 800 MB


def threads_of(name):
    """Return the threads of a rule's jobs; a training has its own for each of its GPUs."""
    gpus = settings.jobs.gpus_per_training if name == "train" else 1
    return max(1, round(SHARES[name][2] * settings.jobs.threads)) * gpus


def memory(name):
    """Return a function of the attempt: a job that is tried again gets more, up to twice what it asked for first."""
    first = max(LEAST_MEMORY_MB, round(SHARES[name][0] * settings.jobs.memory_mb))
    return lambda wildcards, attempt: round(first * min(2, (1 + attempt) / 2))


def request(name, gpus=settings.jobs.gpus):
    """Return the resources of a rule's jobs. If trainings share GPUs, `gpu` counts the slots on them.

    A training takes one slot, every other job all slots of a GPU. All GPUs of a job are in one node, where its threads
    are divided among them: Slurm would otherwise be free to place them near one GPU.
    """
    slots = gpus * (1 if name == "train" else settings.jobs.trainings_per_gpu)
    return dict(
        mem_mb=memory(name),
        runtime=max(LEAST_MINUTES, round(SHARES[name][1] * settings.jobs.runtime_minutes)),
        gpu=slots,
        nodes=1,
        cpus_per_gpu=lambda wildcards, threads: max(1, threads // slots) if slots else 0,
    )


TRAINING = request("train", settings.jobs.gpus * settings.jobs.gpus_per_training) | dict(
    share=settings.jobs.trainings_per_gpu,
    compile=settings.jobs.compile,
    world_size=settings.jobs.gpus_per_training,
    events="--events" if settings.jobs.tensorboard else "--no-events",
)
