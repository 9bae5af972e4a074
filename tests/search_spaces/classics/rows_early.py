"""Rows of the reference table that the early networks are compared with."""

ROWS: dict[str, str] = {
    "LeNet-5 (modern dense C3)": "lenet5",
    "LeNet-5 (C5 as conv)": "lenet5_c5conv",
    "LeNet (Caffe MNIST)": "lenet_caffe",
    "AlexNet (one-tower, torchvision)": "alexnet",
    "AlexNet (one-tower) @227": "alexnet",
    "AlexNet (two-tower groups=2, 227)": "alexnet_two_tower",
    "AlexNet (ungrouped 227, CS231n slides)": "alexnet_ungrouped",
    "AlexNet CIFAR (bearpaw)": "alexnet_cifar10",
    "ZFNet (paper: 384/384/256)": "zfnet",
    "ZFNet-big (CS231n: 512/1024/512)": "zfnet_big",
    "VGG-11": "vgg11",
    "VGG-11-BN": "vgg11_bn",
    "VGG-16": "vgg16",
    "VGG-16-BN": "vgg16_bn",
    "VGG-A-LRN": "vgg_a_lrn",
    "VGG-C (1x1 convs)": "vgg_c",
    "VGG-16-BN CIFAR (conv only + 1 fc)": "vgg16_bn_cifar10",
    "VGG-M @221": "vgg_m",
    "NIN ImageNet @224": "nin",
    "NIN ImageNet @227": "nin",
    "GoogLeNet (paper/Caffe, no aux)": "googlenet_paper",
    "GoogLeNet-BN (torchvision, no aux)": "googlenet",
    "BN-Inception (Inception-v2)": "bn_inception",
    "Inception-v3 (no aux)": "inception_v3",
    "Inception-ResNet-v1 (5A/10B/5C, plain fc)": "inception_resnet_v1",
    "Inception-ResNet-v1 (5A/10B/6C, plain fc)": "inception_resnet_v1_6c",
    "Inception module toy (naive, seed lecture)": "inception_module_naive",
    "Inception module toy (bottleneck, seed lecture)": "inception_module",
}

DIFFERENT: dict[str, tuple[str, str]] = {
    "GoogLeNet-BN (torchvision, aux heads in params)": (
        "googlenet",
        "the row's parameters count both auxiliary heads: infer(aux=True) gives its 13,004,888",
    ),
    "Inception-v3 (aux head in params)": (
        "inception_v3",
        "the row's parameters count the auxiliary head: infer(aux=True) gives its 27,161,264",
    ),
    "Inception-ResNet-v1 (FaceNet port)": (
        "inception_resnet_v1_6c",
        "the port has a layer of 512 with batch norm for face embeddings in front of the classifier",
    ),
}
