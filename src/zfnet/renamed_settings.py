"""Settings that were renamed or removed: a config.yaml with an old name is refused with what to do instead."""

RENAMED: dict[str, dict[str, str]] = {  # model: old name -> new name
    "Data": {
        "size": "image_size",
        "quality": "jpeg_quality",
        "shard_images": "images_per_shard",
        "bad_share": "max_bad_fraction",
        "pixel_limit": "max_pixels",
        "background": "background_class",
    },
    "Subset": {
        "images": "images_per_class",
    },
    "LRSchedule": {
        "drops": "max_drops",
    },
    "Recipe": {
        "batch": "batch_size",
        "rate": "learning_rate",
        "bias_rate": "bias_lr_multiplier",
        "decay": "weight_decay",
        "std": "init_std",
        "keep_gain": "scale_init_std",
        "bias": "init_bias",
        "renormalise": "max_filter_rms",
        "annealing": "lr_schedule",
        "colour": "pca_noise",
        "colour_stop": "pca_noise_until",
        "stuck": "if_stuck",
        "stuck_share": "stuck_after",
    },
    "Evaluation": {
        "batch": "batch_size",
    },
    "Training": {
        "snapshots": "snapshot_epochs",
    },
    "Visualize": {
        "maps": "maps_per_layer",
        "top": "top_k",
        "occluder": "occluder_size",
        "stride": "occluder_stride",
        "occlusion_measured": "occlusion_measured_images",
        "measured_stride": "occlusion_measured_stride",
        "shift": "max_shift",
        "mask": "mask_size",
        "filters_maps": "filter_maps",
        "ascent_steps": "maximize_steps",
    },
    "Transfer": {
        "run": "pretrained_run",
        "views": "crops",
        "stored": "feature_dtype",
        "caltech101_sizes": "caltech101_train_sizes",
        "caltech101_test": "caltech101_max_test",
        "caltech256_sizes": "caltech256_train_sizes",
        "caltech256_curve": "caltech256_curve_sizes",
        "caltech256_test": "caltech256_max_test",
        "duplicates_size": "duplicates_thumbnail_size",
    },
    "Paper": {
        "level": "confidence_level",
        "tolerance": "published_tolerance",
        "few_apart": "max_disagreeing_fraction",
        "few_duplicates": "max_duplicate_percent",
    },
    "Jobs": {
        "gpu": "gpus",
        "memory": "memory_mb",
        "runtime": "runtime_minutes",
        "step": "compile",
    },
    "World": {
        "side": "image_size",
        "duplicates": "planted_duplicates",
    },
    "Settings": {
        "world": "synthetic",
    },
}

REMOVED: dict[str, dict[str, str]] = {  # model: name -> why it is gone
    "Training": {
        "decode": "images are always decoded on the CPU, as they are for every evaluation",
    },
}
