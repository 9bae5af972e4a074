"""Rows of the reference table for transformers, mixers, ConvNeXts and AlphaGo."""

ROWS: dict[str, str] = {
    "ConvNeXt-T": "convnext_tiny",
    "ConvNeXt-L": "convnext_large",
    "ConvNeXt-XL": "convnext_xlarge",
    "ConvNeXtV2-T": "convnextv2_tiny",
    "ViT-Ti/16": "vit_tiny_patch16_224",
    "ViT-S/16": "vit_small_patch16_224",
    "ViT-B/16": "vit_base_patch16_224",
    "ViT-L/32": "vit_large_patch32_224",
    "ViT-H/14": "vit_huge_patch14_224",
    "ViT-H/14 @518": "vit_huge_patch14_224",
    "MLP-Mixer-S/16": "mixer_s16_224",
    "MLP-Mixer-S/32": "mixer_s32_224",
    "MLP-Mixer-B/16": "mixer_b16_224",
    "MLP-Mixer-B/32": "mixer_b32_224",
    "ResMLP-S12": "resmlp_12_224",
    "gMLP-S/16": "gmlp_s16_224",
    "Swin-T": "swin_tiny_patch4_window7_224",
    "Swin-S": "swin_small_patch4_window7_224",
    "Swin-L": "swin_large_patch4_window7_224",
    "AlphaGo policy net k=128": "alphago_128",
    "AlphaGo policy net k=256": "alphago_256",
}
"""Row of classics.csv -> registered name; `macs_with_attention` is what our multiply-adds equal, if given."""

DIFFERENT: dict[str, tuple[str, str]] = {
    "ConvNeXtV2-Atto": (
        "convnextv2_atto",
        "timm's small V2 models have 1x1 convolutions, whose outputs count as activations, where the paper's "
        "code has linear layers; parameters and multiply-adds are equal",
    ),
}
"""Row -> (registered name, why it is not equal)."""
