"""StickerWorld: synthetic scenes of OpenMoji stickers with exact ground truth."""
