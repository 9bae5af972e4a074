"""The receptive field of the last feature map, against the reference table."""

import csv
from pathlib import Path

import pytest

from cells.infer import infer
from search_spaces import Fixed, find

LAST = {
    "resnet18": "resnet18",
    "resnet34": "resnet34",
    "resnet50": "resnet50",
    "resnet101": "resnet101",
    "ResNet-50 (v1, stride on 1x1)": "resnet50_v1",
    "ResNet-101 (v1, stride on 1x1)": "resnet101_v1",
    "resnet_v1_50": "resnet50_v1",
    "resnet_v1_101": "resnet101_v1",
    "PreAct ResNet-18 (ImageNet)": "preactresnet18",
    "PreAct ResNet-50 (ImageNet)": "preactresnet50",
    "PreAct ResNet-110": "preactresnet110",
    "torchvision/resnext50_32x4d": "resnext50_32x4d",
    "torchvision/resnext101_32x8d": "resnext101_32x8d",
    "torchvision/wide_resnet50_2": "wide_resnet50_2",
    "torchvision/wide_resnet101_2": "wide_resnet101_2",
    "CIFAR ResNet-20": "resnet20",
    "CIFAR ResNet-32": "resnet32",
    "CIFAR ResNet-44": "resnet44",
    "CIFAR ResNet-56": "resnet56",
    "CIFAR ResNet-110": "resnet110",
    "CIFAR plain-20": "plain20",
    "CIFAR plain-56": "plain56",
    "WRN-28-10": "WRN-28-10 CIFAR-10",
    "ResNeXt-29 8x64d": "resnext29_8x64d",
    "DenseNet-BC-100-12": "densenet100_k12_bc",
    "torchvision/densenet121": "densenet121",
    "torchvision/densenet161": "densenet161",
    "torchvision/densenet201": "densenet201",
    "alexnet_v2": "alexnet",
    "torchvision/alexnet": "alexnet",
    "AlexNet two-tower (227)": "alexnet_two_tower",
    "vgg_16": "vgg16",
    "torchvision/vgg16": "vgg16",
    "LeNet-5": "lenet5_c5conv",
    "NIN CIFAR-10": "nin_cifar10",
    "ZFNet (paper)": "zfnet",
    "torchvision/googlenet (3x3 in place of 5x5)": "googlenet",
    "inception_v3": "inception_v3",
    "torchvision/inception_v3": "inception_v3",
    "inception_v4": "inception_v4",
    "inception_v4 (timm)": "inception_v4",
    "inception_resnet_v2": "inception_resnet_v2",
    "inception_resnet_v2 (timm)": "inception_resnet_v2",
    "inception_v2": "bn_inception",
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v1_075": "mobilenetv1_075",
    "MobileNetV1": "mobilenetv1_100",
    "torchvision/mobilenet_v2": "mobilenetv2_100",
    "torchvision/mnasnet1_0": "mnasnet_100",
    "torchvision/mnasnet0_5": "mnasnet_050",
    "torchvision/squeezenet1_0": "squeezenet1_0",
    "torchvision/squeezenet1_1": "squeezenet1_1",
    "torchvision/shufflenet_v2_x1_0": "shufflenet_v2_x1_0",
    "torchvision/regnet_x_400mf": "regnetx_004",
    "torchvision/regnet_x_800mf": "regnetx_008",
    "torchvision/regnet_x_3_2gf": "regnetx_032",
    "torchvision/regnet_x_16gf": "regnetx_160",
    "torchvision/regnet_x_32gf": "regnetx_320",
}


@pytest.mark.parametrize("model", sorted(LAST))
def test_receptive_field_of_the_last_map(shared: Path, model: str) -> None:
    with (shared / "reference" / "receptive_fields.csv").open() as file:
        last = [row for row in csv.DictReader(file) if row["model"] == model][-1]
    assert infer(find(LAST[model]).draw(Fixed())).receptive_field == int(last["receptive_field"])
