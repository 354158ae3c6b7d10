/*
 * Decodes broken copies of the JPEG 2000 files it is given, tile by tile as library.rs does, each tile into memory that
 * ends where no page follows.
 */
#include "broken_files.h"

#include <openjpeg.h>

/* As in arena.c. */
struct arena {
    uint64_t taken, limit, wanted, allocations_left;
};
struct arena *classify_jpeg2000_arena(void);
void classify_jpeg2000_release(struct arena *arena);
int classify_jpeg2000_create(struct arena *arena, int format, size_t buffer_size, void **codec, void **stream);
int classify_jpeg2000_read_header(struct arena *arena, void *codec, void *stream, void **image);
int classify_jpeg2000_read_tile_header(struct arena *arena, void *codec, void *stream, uint32_t *index, uint32_t *size,
                                       int32_t *corners, uint32_t *components, int32_t *more);
int classify_jpeg2000_decode_tile(struct arena *arena, void *codec, void *stream, uint32_t index, uint8_t *data,
                                  uint32_t size);
int classify_jpeg2000_finish(struct arena *arena, void *codec, void *stream);

#define STATUS_OK 1
#define MAX_TILE (16u << 20)

static const unsigned char *rest;
static size_t left;

static size_t take(void *buffer, size_t length, void *user) {
    (void)user;
    length = length < left ? length : left;
    memcpy(buffer, rest, length);
    rest += length;
    left -= length;
    return length == 0 ? (size_t)-1 : length;
}

static int64_t skip(int64_t length, void *user) {
    (void)user;
    length = length < 0 ? 0 : (uint64_t)length < left ? length : (int64_t)left;
    rest += length;
    left -= (size_t)length;
    return length == 0 ? -1 : length;
}

static void ignore(const char *message, void *user) {
    (void)message, (void)user;
}

static int decode_tiles(struct arena *arena, void *codec, void *stream) {
    for (;;) {
        uint32_t index, size, components;
        int32_t corners[4], more;
        struct guarded tile;
        int status =
            classify_jpeg2000_read_tile_header(arena, codec, stream, &index, &size, corners, &components, &more);
        if (status != STATUS_OK || !more) {
            return status == STATUS_OK && classify_jpeg2000_finish(arena, codec, stream) == STATUS_OK;
        }
        if (size > MAX_TILE) {
            return 0;
        }
        tile = guarded(size);
        status = classify_jpeg2000_decode_tile(arena, codec, stream, index, tile.bytes, size);
        munmap(tile.pages, tile.length);
        if (status != STATUS_OK) {
            return 0;
        }
    }
}

static int decode(const unsigned char *data, size_t length) {
    struct arena *arena = classify_jpeg2000_arena();
    int container = length > 0 && data[0] == 0, good;
    /* OpenJPEG 2.5.3 follows what it finds in the last one, should the header be broken. */
    void *codec, *stream, *image = NULL;
    opj_dparameters_t parameters;
    rest = data;
    left = length;
    arena->limit = below(8) == 0 ? below(1 << 20) : 64 << 20;
    arena->allocations_left = below(8) == 0 ? below(1000) : 1 << 20;
    good = classify_jpeg2000_create(arena, container ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K, 1 << 16, &codec, &stream) ==
           STATUS_OK;
    if (good) {
        opj_stream_set_read_function(stream, take);
        opj_stream_set_skip_function(stream, skip);
        opj_stream_set_user_data(stream, NULL, NULL);
        opj_stream_set_user_data_length(stream, length);
        opj_set_error_handler(codec, ignore, NULL);
        opj_set_default_decoder_parameters(&parameters);
        opj_setup_decoder(codec, &parameters);
        good = classify_jpeg2000_read_header(arena, codec, stream, &image) == STATUS_OK &&
               decode_tiles(arena, codec, stream);
    }
    classify_jpeg2000_release(arena);
    return good;
}

int main(int argc, char **argv) {
    return decode_broken(argc, argv, decode);
}
