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
    /* Whether the image can come out smaller, and rows be skipped, both of which are not so of a lossless one. */
    int reducible;
    /* Whether all scans have been read before the first row comes out. */
    int several_scans;
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

/* Begins to decode, once, with 1, 2, 4 or 8 times fewer columns and rows. */
int classify_jpeg_start(struct decoder *decoder, enum color color, unsigned int reduction);

/*
 * Cuts all rows to the `columns` from the one `first` on, before the first row is read. More may be kept, and the
 * numbers change then. The outermost columns that are kept may have other samples than without.
 */
int classify_jpeg_crop(struct decoder *decoder, unsigned int *first, unsigned int *columns);

/* Leaves out rows, but not the last one of the image; for COLOR_BY_MARKERS only, and not of a lossless image. */
int classify_jpeg_skip(struct decoder *decoder, unsigned int rows);

/*
 * Decodes the next rows into `pixels`, without padding: `row_length` bytes each, as many a pixel as there are
 * components, for COLOR_BY_MARKERS 1 (grey), 3 (RGB) or 4 (CMYK as stored).
 */
int classify_jpeg_read(struct decoder *decoder, unsigned char *pixels, size_t row_length, unsigned int rows);

/* After the last row. */
int classify_jpeg_finish(struct decoder *decoder);

/* Why the status was STATUS_BROKEN; as long as the decoder is not closed. */
const char *classify_jpeg_message(const struct decoder *decoder);

/* Ends a decoder, or NULL. */
void classify_jpeg_close(struct decoder *decoder);

#endif
