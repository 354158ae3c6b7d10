/*
 * Breaks copies of files, and has each decoded from memory that ends where no page follows, so that code without
 * sanitizers, too, is caught behind the end.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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

/* `arguments` are a number of copies, and files. */
static int decode_broken(int count_of_arguments, char **arguments,
                         int (*decode)(const unsigned char *data, size_t length)) {
    long good = 0, count = atol(arguments[1]);
    for (long number = 0; number < count; number++) {
        FILE *file = fopen(arguments[2 + below((size_t)count_of_arguments - 2)], "rb");
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
    printf("%ld files, %ld decoded\n", count, good);
    return 0;
}
