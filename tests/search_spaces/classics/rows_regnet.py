"""Rows of classics.csv that the published RegNets are compared with."""

ROWS = {
    f"RegNet{name}": f"RegNet{name}"
    for name in (
        "X-400MF X-800MF X-1.6GF X-3.2GF X-4.0GF X-6.4GF X-8.0GF X-12GF X-16GF X-32GF "
        "Y-400MF Y-600MF Y-3.2GF Y-4.0GF Y-8.0GF Y-12GF Y-16GF Y-32GF"
    ).split()
} | {"RegNetY-8.0GF (torchvision)": "regnety_080_tv", "RegNetY-128GF (torchvision)": "regnety_1280"}

DIFFERENT: dict[str, tuple[str, str]] = {}
