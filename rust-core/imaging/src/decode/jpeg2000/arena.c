/*
 * What OpenJPEG is not trusted with: its memory, and the process.
 *
 * OpenJPEG takes memory by what a file tells, piece by piece, checks its own state with assert(), and has had faults
 * where an allocation failed. So its allocation functions are defined here in place of its own (opj_malloc.c, which the
 * linker then leaves out): all memory of a decoder belongs to one arena with a limit. What would exceed the limit ends
 * the call, as does an assertion that does not hold, and the number of allocations, of which each packet of a file
 * costs one, is limited for time's sake. Giving back the arena gives back everything, wherever the call has ended.
 *
 * setjmp and longjmp stay within this file and OpenJPEG: no Rust frame is ever jumped over.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Mirrored by the statuses in library.rs. */
enum status { STATUS_FAILED = 0, STATUS_OK = 1, STATUS_MEMORY = 2, STATUS_EFFORT = 3, STATUS_ASSERTION = 4 };

/* Before each block, which therefore is aligned as widely as OpenJPEG asks for at most. */
#define ALIGNMENT 32
struct block {
    struct block *next;
    struct block *previous;
    size_t size;
    void *padding;
};
_Static_assert(sizeof(struct block) == ALIGNMENT, "a block begins behind its header");

/* Mirrored by `Arena` in library.rs, as far as `allocations_left`. */
struct arena {
    /* Bytes, with the headers of the blocks and what malloc needs about as much of. */
    uint64_t taken;
    uint64_t limit;
    /* What would have been taken when the limit ended a call. */
    uint64_t wanted;
    uint64_t allocations_left;
    struct block blocks;
    enum status status;
    jmp_buf escape;
};

static _Thread_local struct arena *current;

_Noreturn static void end_call(enum status status) {
    current->status = status;
    longjmp(current->escape, 1);
}

static uint64_t cost(size_t size) {
    return (uint64_t)size + 2 * sizeof(struct block);
}

static void *take(size_t size) {
    struct arena *arena = current;
    void *memory;
    struct block *block;
    if (size == 0 || arena == NULL) {
        return NULL;
    }
    if (arena->allocations_left == 0) {
        end_call(STATUS_EFFORT);
    }
    arena->allocations_left--;
    if (size > arena->limit || arena->taken + cost(size) > arena->limit) {
        arena->wanted = arena->taken + cost(size);
        end_call(STATUS_MEMORY);
    }
    if (posix_memalign(&memory, ALIGNMENT, sizeof(struct block) + size) != 0) {
        arena->wanted = arena->taken + cost(size);
        end_call(STATUS_MEMORY);
    }
    block = memory;
    block->size = size;
    block->previous = &arena->blocks;
    block->next = arena->blocks.next;
    if (block->next != NULL) {
        block->next->previous = block;
    }
    arena->blocks.next = block;
    arena->taken += cost(size);
    return block + 1;
}

static void give_back(void *content) {
    struct block *block;
    /* Outside of a call, what is freed goes with the arena. */
    if (content == NULL || current == NULL) {
        return;
    }
    block = (struct block *)content - 1;
    current->taken -= cost(block->size);
    block->previous->next = block->next;
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    free(block);
}

static void *take_more(void *content, size_t size) {
    void *grown = take(size);
    if (grown != NULL && content != NULL) {
        size_t before = ((struct block *)content - 1)->size;
        memcpy(grown, content, before < size ? before : size);
        give_back(content);
    }
    return grown;
}

#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN void *opj_malloc(size_t size) {
    return take(size);
}
HIDDEN void *opj_calloc(size_t count, size_t size) {
    void *content = take(size != 0 && count > SIZE_MAX / size ? SIZE_MAX : count * size);
    return content == NULL ? NULL : memset(content, 0, count * size);
}
HIDDEN void *opj_realloc(void *content, size_t size) {
    return take_more(content, size);
}
HIDDEN void opj_free(void *content) {
    give_back(content);
}
HIDDEN void *opj_aligned_malloc(size_t size) {
    return take(size);
}
HIDDEN void *opj_aligned_realloc(void *content, size_t size) {
    return take_more(content, size);
}
HIDDEN void *opj_aligned_32_malloc(size_t size) {
    return take(size);
}
HIDDEN void *opj_aligned_32_realloc(void *content, size_t size) {
    return take_more(content, size);
}
HIDDEN void opj_aligned_free(void *content) {
    give_back(content);
}

/* What the C library's assert() calls, in all that is linked with this file: an assertion of others ends the process,
 * as ever. */
HIDDEN _Noreturn void __assert_fail(const char *assertion, const char *file, unsigned int line, const char *function) {
    (void)assertion, (void)file, (void)line, (void)function;
    if (current == NULL) {
        abort();
    }
    end_call(STATUS_ASSERTION);
}

/* Makes a call of OpenJPEG's within an arena; the caller returns the status. */
#define CALL(arena, call)                                                                                              \
    do {                                                                                                               \
        current = (arena);                                                                                             \
        if (setjmp((arena)->escape) == 0) {                                                                            \
            (arena)->status = (call) ? STATUS_OK : STATUS_FAILED;                                                      \
        }                                                                                                              \
        current = NULL;                                                                                                \
        return (arena)->status;                                                                                        \
    } while (0)

/* Of openjpeg.h, which openjpeg-sys keeps to itself; Rust's declarations are made from it, and hand over the same
 * pointers. */
typedef int32_t opj_bool;
void *opj_create_decompress(int format);
void *opj_stream_create(size_t buffer_size, opj_bool input);
opj_bool opj_read_header(void *stream, void *codec, void **image);
opj_bool opj_read_tile_header(void *codec, void *stream, uint32_t *index, uint32_t *size, int32_t *x0, int32_t *y0,
                              int32_t *x1, int32_t *y1, uint32_t *components, opj_bool *more);
opj_bool opj_decode_tile_data(void *codec, uint32_t index, uint8_t *data, uint32_t size, void *stream);
opj_bool opj_end_decompress(void *codec, void *stream);

/* NULL where there is no memory. */
struct arena *classify_jpeg2000_arena(void) {
    return calloc(1, sizeof(struct arena));
}

void classify_jpeg2000_release(struct arena *arena) {
    struct block *block = arena->blocks.next;
    while (block != NULL) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

int classify_jpeg2000_create(struct arena *arena, int format, size_t buffer_size, void **codec, void **stream) {
    CALL(arena,
         (*codec = opj_create_decompress(format)) != NULL && (*stream = opj_stream_create(buffer_size, 1)) != NULL);
}

int classify_jpeg2000_read_header(struct arena *arena, void *codec, void *stream, void **image) {
    CALL(arena, opj_read_header(stream, codec, image));
}

/* `corners` are left, top, right and bottom. */
int classify_jpeg2000_read_tile_header(struct arena *arena, void *codec, void *stream, uint32_t *index, uint32_t *size,
                                       int32_t *corners, uint32_t *components, opj_bool *more) {
    CALL(arena, opj_read_tile_header(codec, stream, index, size, &corners[0], &corners[1], &corners[2], &corners[3],
                                     components, more));
}

int classify_jpeg2000_decode_tile(struct arena *arena, void *codec, void *stream, uint32_t index, uint8_t *data,
                                  uint32_t size) {
    CALL(arena, opj_decode_tile_data(codec, index, data, size, stream));
}

int classify_jpeg2000_finish(struct arena *arena, void *codec, void *stream) {
    CALL(arena, opj_end_decompress(codec, stream));
}
