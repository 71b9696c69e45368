"""The generated world: a miniature of all data sets in the official archive formats.

`generate(world, folder)` writes it; see `zfnet.synthetic.world`.
"""

from zfnet.core.lazy import exports

# Field of settings.Archives -> official file name
FILES = {
    "imagenet_train": "ILSVRC2012_img_train.tar",
    "imagenet_val": "ILSVRC2012_img_val.tar",
    "imagenet_devkit": "ILSVRC2012_devkit_t12.tar.gz",
    "imagenet_test": "ILSVRC2012_img_test_v10102019.tar",
    "caltech101": "101_ObjectCategories.tar.gz",
    "caltech256": "256_ObjectCategories.tar",
    "voc2012": "VOCtrainval_11-May-2012.tar",
    "voc2012_test": "VOC2012test.tar",
    "cifar10": "cifar-10-python.tar.gz",
    "parts_images": "parts.tar",
    "parts_keypoints": "keypoints.json",
}

__getattr__, __dir__, __all__ = exports(__name__, {"generate": "world"})
