/* What jpeg.c offers: mirrored by mod.rs, and used by scripts/jpeg_asan.c. */
#ifndef CLASSIFY_JPEG_H
#define CLASSIFY_JPEG_H

#include <stddef.h>
#include <stdint.h>

enum status { STATUS_OK = 0, STATUS_BROKEN = 1, STATUS_TRUNCATED = 2 };

/* What the channels are taken for, and what comes out: mirrored by `Color` in mod.rs. */
enum color {
    /* What the file's markers tell; grey, RGB or CMYK. */
    COLOR_BY_MARKERS = 0,
    /* YCbCr, made RGB. */
    COLOR_YCBCR = 1,
    /* Whatever they are, unchanged. */
    COLOR_UNKNOWN = 2
};

/* Mirrored by `Header` in mod.rs. */
struct classify_jpeg_header {
    unsigned int width;
    unsigned int height;
    int components;
    int precision;
    /* Whether a channel has fewer columns or rows than another. */
    int subsampled;
    /* Whether the image can come out smaller, which a lossless one cannot. */
    int reducible;
    /* The bytes that libjpeg takes at most to decode the image. */
    uint64_t memory;
};

struct decoder;

/*
 * Reads the header of the JPEG in `data`, which has to stay as long as the decoder that comes into `*opened`, NULL if
 * there is no memory for one. It is to be closed whatever the status is.
 */
int classify_jpeg_open(const unsigned char *data, size_t length, struct decoder **opened,
                       struct classify_jpeg_header *header);

/*
 * Decodes once, with 1, 2, 4 or 8 times fewer columns and rows, into `pixels` of `length` bytes: rows without padding,
 * with as many bytes a pixel as there are components, for COLOR_BY_MARKERS 1 (grey), 3 (RGB) or 4 (CMYK as stored).
 */
int classify_jpeg_decode(struct decoder *decoder, enum color color, unsigned int reduction, unsigned char *pixels,
                         size_t length);

/* Why the status was STATUS_BROKEN; as long as the decoder is not closed. */
const char *classify_jpeg_message(const struct decoder *decoder);

/* Ends a decoder, or NULL. */
void classify_jpeg_close(struct decoder *decoder);

#endif
