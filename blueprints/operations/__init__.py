"""Operations: what is stuck, why, and how it is mended."""
