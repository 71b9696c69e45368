"""What each kind of input may have: several times what the official files have, so that nothing forged costs much more.

All are in bytes unless their comment says otherwise; the comment gives the official value.
"""

MIB = 1 << 20

# Archives
MEMBERS = 3_000_000  # regular files; ImageNet's training set has 1,281,167
HEADER = 1 << 20  # a long name or extended header of a tar; a few hundred bytes
END_OF_TAR = 10_240  # zeros after the end mark of a tar: less than a record of 20 blocks
MEMBER = 256 * MIB  # any file that is read as a whole, images included; ImageNet's largest image has 15 MB

# Images
MAX_SIDE = 65_500  # pixels, the limit of JPEG
SCANS = 100  # progressive scans of a JPEG; encoders write about ten
SCANNED = 12  # pixels of all scans together, in images of data.max_pixels
LARGE_IMAGE = 16_000_000  # pixels; larger images are decoded one at a time, so that threads do not add up their memory

# Tables of data sets
CLASSES = 100_000  # classes; ImageNet-21k has 21,841
META_MAT = 16 * MIB  # meta.mat of the devkit, as stored and inflated; 1.5 MB
TRUTH = 1 * MIB  # labels of the devkit's validation images; 200 kB
KAGGLE_TABLE = 256 * MIB  # a LOC_ table or list of Kaggle's copy; 45 MB
VOC_LIST = 1 * MIB  # a list of ImageSets; 140 kB
VOC_ANNOTATION = 1 * MIB  # 20 kB
XML_DEPTH = 32  # nested elements; 5
CIFAR_BATCH = 64 * MIB  # 31 MB
CIFAR_IMAGES = 1_000_000  # images in a batch; 10,000
KEYPOINTS = 64 * MIB  # a file of key points; COCO's has 20 MB

# Shards
SHARD = 1 << 40  # one shard; 100 MB
SHARD_IMAGES = 100_000_000  # images in one shard; 2,000
SHARD_MEMBER = 64 * MIB  # one file in a shard; a 120-megapixel JPEG of a shard has about 50 MB
