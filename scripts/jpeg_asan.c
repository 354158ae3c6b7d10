/*
 * Decodes broken copies of the JPEGs it is given, each from and into memory that ends where no page follows, so that
 * code without sanitizers, too, is caught behind the end.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* As in jpeg.c. */
struct classify_jpeg_header {
    unsigned int width;
    unsigned int height;
    int components;
    int precision;
    int subsampled;
    int reducible;
    uint64_t memory;
};
struct decoder;
int classify_jpeg_open(const unsigned char *data, size_t length, struct decoder **opened,
                       struct classify_jpeg_header *header);
int classify_jpeg_decode(struct decoder *decoder, int color, unsigned int reduction, unsigned char *pixels,
                         size_t length);
const char *classify_jpeg_message(const struct decoder *decoder);
void classify_jpeg_close(struct decoder *decoder);

#define MAX_PIXELS (1u << 20)

static uint64_t state = 13;

static size_t below(size_t limit) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % limit;
}

struct guarded {
    void *pages;
    size_t length;
    unsigned char *bytes;
};

static struct guarded guarded(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), used = (size + page - 1) / page * page;
    struct guarded memory = {NULL, used + page, NULL};
    memory.pages = mmap(NULL, memory.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory.pages == MAP_FAILED || mprotect((char *)memory.pages + used, page, PROT_NONE) != 0) {
        perror("memory");
        exit(1);
    }
    memory.bytes = (unsigned char *)memory.pages + used - size;
    return memory;
}

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
    long good = 0, count = atol(argv[1]);
    for (long number = 0; number < count; number++) {
        FILE *file = fopen(argv[2 + below((size_t)argc - 2)], "rb");
        unsigned char *whole = malloc(1 << 20);
        struct guarded data;
        size_t length = fread(whole, 1, 1 << 20, file), changes = below(6);
        fclose(file);
        if (length == 0) {
            free(whole);
            continue;
        }
        while (changes-- > 0) {
            switch (below(4)) {
            case 0:
                whole[below(length)] ^= (unsigned char)(1 << below(8));
                break;
            case 1:
                whole[below(length)] = (unsigned char)below(256);
                break;
            case 2:
                whole[below(length < 700 ? length : 700)] = 0xFF;
                break;
            default:
                length = 1 + below(length);
            }
        }
        data = guarded(length);
        memcpy(data.bytes, whole, length);
        good += decode(data.bytes, length);
        munmap(data.pages, data.length);
        free(whole);
    }
    printf("%ld JPEGs, %ld decoded\n", count, good);
    return 0;
}
