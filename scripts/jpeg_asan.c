/*
 * Decodes broken copies of the JPEGs it is given, into memory that ends where no page follows.
 */
#include "broken_files.h"
#include "jpeg.h"

#define MAX_PIXELS (1u << 20)

/* Rows skipped and read, of all columns or of some. */
static int decode_rows(struct decoder *decoder, const struct classify_jpeg_header *header) {
    static const unsigned int reductions[] = {1, 1, 2, 4, 8};
    unsigned int reduction = header->reducible ? reductions[below(5)] : 1;
    int color = header->components == 3 ? (int)below(3) : below(2) ? 2 : 0;
    unsigned int first = 0, columns = (header->width + reduction - 1) / reduction;
    unsigned int left = (header->height + reduction - 1) / reduction;
    int status = classify_jpeg_start(decoder, color, reduction);
    if (status == 0 && color == 0 && header->reducible && reduction == 1 && below(2)) {
        first = (unsigned int)below(columns);
        columns = 1 + (unsigned int)below(columns - first);
        status = classify_jpeg_crop(decoder, &first, &columns);
    }
    while (status == 0 && left > 0) {
        unsigned int rows = 1 + (unsigned int)below(left);
        if (rows < left && color == 0 && header->reducible && below(3) == 0) {
            status = classify_jpeg_skip(decoder, rows);
        } else {
            size_t row_length = (size_t)header->components * columns;
            struct guarded pixels = guarded(rows * row_length);
            status = classify_jpeg_read(decoder, pixels.bytes, row_length, rows);
            munmap(pixels.pages, pixels.length);
        }
        left -= rows;
    }
    return status == 0 ? classify_jpeg_finish(decoder) : status;
}

static int decode(const unsigned char *data, size_t length) {
    struct classify_jpeg_header header = {0};
    struct decoder *decoder;
    int status = classify_jpeg_open(data, length, &decoder, &header);
    int readable = header.components == 1 || header.components == 3 || header.components == 4;
    if (status == 0 && readable && header.precision == 8 && (uint64_t)header.width * header.height <= MAX_PIXELS) {
        status = decode_rows(decoder, &header);
    }
    if (status == 1 && memchr(classify_jpeg_message(decoder), 0, 200) == NULL) {
        fprintf(stderr, "a message without an end\n");
        exit(1);
    }
    classify_jpeg_close(decoder);
    return status == 0;
}

int main(int argc, char **argv) {
    return decode_broken(argc, argv, decode);
}
