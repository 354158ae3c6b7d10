/*
 * Decodes broken copies of the JPEGs it is given, into memory that ends where no page follows.
 */
#include "broken_files.h"
#include "jpeg.h"

#define MAX_PIXELS (1u << 20)

static int decode(const unsigned char *data, size_t length) {
    static const unsigned int reductions[] = {1, 1, 2, 4, 8};
    struct classify_jpeg_header header = {0};
    struct decoder *decoder;
    int status = classify_jpeg_open(data, length, &decoder, &header);
    int readable = header.components == 1 || header.components == 3 || header.components == 4;
    if (status == 0 && readable && header.precision == 8 && (uint64_t)header.width * header.height <= MAX_PIXELS) {
        unsigned int reduction = reductions[below(5)];
        int color = header.components == 3 ? (int)below(3) : below(2) ? 2 : 0;
        size_t width = (header.width + reduction - 1) / reduction, height = (header.height + reduction - 1) / reduction;
        size_t size = (size_t)header.components * width * height;
        struct guarded pixels = guarded(size);
        status = classify_jpeg_decode(decoder, color, reduction, pixels.bytes, size);
        munmap(pixels.pages, pixels.length);
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
