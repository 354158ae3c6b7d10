/*
 * Decodes a JPEG held in memory, with the rules of Pillow's JPEG plugin (src/libImaging/JpegDecode.c), so that the
 * same files are accepted and the same bytes come out:
 *  - the accurate integer DCT and fancy upsampling, which are libjpeg's defaults;
 *  - warnings (stray bytes, corrupt entropy data, ...) are ignored;
 *  - a file that ends before all rows could be decoded is truncated. This needs a source that suspends at the end of
 *    the data. The TurboJPEG API has another one, which invents an end marker, and it cannot tell a warning from an
 *    error that follows it: that is why this file exists.
 *
 * setjmp and longjmp stay within this file: no Rust frame is ever jumped over.
 */
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <jpeglib.h>

#include "jpeg.h"

/*
 * Encoders write about a dozen scans. Each costs a pass over the image, however few bytes it has. Pillow reads any
 * number; so does this file, as long as the passes visit no more pixels than this, or are no more than 100.
 */
#define MAX_VISITED_PIXELS (1L << 26)
#define MIN_MAX_SCANS 100

struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_source_mgr source;
    struct jpeg_progress_mgr progress;
    /* Whether more bytes were asked for than there are. */
    int starved;
    jmp_buf escape;
    char message[JMSG_LENGTH_MAX];
};

static void fail(j_common_ptr common) {
    struct decoder *decoder = (struct decoder *)common->client_data;
    common->err->format_message(common, decoder->message);
    longjmp(decoder->escape, 1);
}

static void discard_message(j_common_ptr common) {
    (void)common;
}

static void refuse_many_scans(j_common_ptr common) {
    struct decoder *decoder = (struct decoder *)common->client_data;
    long scans = MAX_VISITED_PIXELS / ((long)decoder->jpeg.image_width * decoder->jpeg.image_height);
    if (scans < MIN_MAX_SCANS) {
        scans = MIN_MAX_SCANS;
    }
    if (decoder->jpeg.input_scan_number > scans) {
        snprintf(decoder->message, JMSG_LENGTH_MAX, "more than %ld scans", scans);
        longjmp(decoder->escape, 1);
    }
}

static void do_nothing(j_decompress_ptr jpeg) {
    (void)jpeg;
}

static boolean suspend(j_decompress_ptr jpeg) {
    ((struct decoder *)jpeg->client_data)->starved = 1;
    return FALSE;
}

static void skip(j_decompress_ptr jpeg, long count) {
    struct jpeg_source_mgr *source = jpeg->src;
    if (count <= 0) {
        return;
    }
    if ((size_t)count > source->bytes_in_buffer) {
        count = (long)source->bytes_in_buffer;
    }
    source->next_input_byte += count;
    source->bytes_in_buffer -= (size_t)count;
}

/*
 * The coefficients of the whole image (or its samples, which take less, where it is lossless) if it comes in several
 * scans, and for each component the rows that libjpeg works on (jdmainct.c, jdcoefct.c, jdsample.c, jddiffct.c): no
 * more than 18 for each of its rows in a row of blocks, of up to 4 bytes a sample in two of them.
 */
static uint64_t memory(struct jpeg_decompress_struct *jpeg) {
    uint64_t bytes = 1 << 18;
    for (int index = 0; index < jpeg->num_components; index++) {
        const jpeg_component_info *component = &jpeg->comp_info[index];
        uint64_t columns = component->width_in_blocks + (uint64_t)component->h_samp_factor;
        uint64_t rows = component->height_in_blocks + (uint64_t)component->v_samp_factor;
        uint64_t across = (uint64_t)jpeg->image_width + 8 * (uint64_t)jpeg->max_h_samp_factor;
        if (jpeg_has_multiple_scans(jpeg)) {
            bytes += columns * rows * sizeof(JBLOCK) + rows * 8 * sizeof(void *);
        }
        bytes += columns * DCTSIZE * (uint64_t)component->v_samp_factor * 28 +
                 across * (uint64_t)jpeg->max_v_samp_factor * 4;
    }
    return bytes;
}

/* A decoder whose header has been read. */
static int read_header(struct decoder *decoder, const unsigned char *data, size_t length,
                       struct classify_jpeg_header *header) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    int found;

    jpeg->err = jpeg_std_error(&decoder->errors);
    jpeg->client_data = decoder;
    decoder->errors.error_exit = fail;
    decoder->errors.output_message = discard_message;
    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    jpeg_create_decompress(jpeg);

    decoder->source.next_input_byte = data;
    decoder->source.bytes_in_buffer = length;
    decoder->source.init_source = do_nothing;
    decoder->source.fill_input_buffer = suspend;
    decoder->source.skip_input_data = skip;
    decoder->source.resync_to_restart = jpeg_resync_to_restart;
    decoder->source.term_source = do_nothing;
    jpeg->src = &decoder->source;

    do {
        found = jpeg_read_header(jpeg, FALSE);
    } while (found == JPEG_HEADER_TABLES_ONLY);
    if (found == JPEG_SUSPENDED) {
        return STATUS_TRUNCATED;
    }

    header->width = jpeg->image_width;
    header->height = jpeg->image_height;
    header->components = jpeg->num_components;
    header->precision = jpeg->data_precision;
    header->subsampled = 0;
    header->several_scans = jpeg_has_multiple_scans(jpeg);
    header->memory = memory(jpeg);
    for (int index = 0; index < jpeg->num_components; index++) {
        const jpeg_component_info *component = &jpeg->comp_info[index];
        header->subsampled |= component->h_samp_factor != 1 || component->v_samp_factor != 1;
    }
    jpeg->scale_num = 1;
    jpeg->scale_denom = 8;
    jpeg_calc_output_dimensions(jpeg);
    /* A lossless image is not scaled, which does not show where it is one pixel wide. */
    header->reducible = jpeg->image_width > 1 && jpeg->output_width == (jpeg->image_width + 7) / 8;
    return STATUS_OK;
}

int classify_jpeg_open(const unsigned char *data, size_t length, struct decoder **opened,
                       struct classify_jpeg_header *header) {
    *opened = calloc(1, sizeof(**opened));
    return *opened == NULL ? STATUS_BROKEN : read_header(*opened, data, length, header);
}

int classify_jpeg_start(struct decoder *decoder, enum color color, unsigned int reduction) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;

    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    jpeg->scale_num = 1;
    jpeg->scale_denom = reduction;
    switch (color) {
    case COLOR_BY_MARKERS:
        jpeg->out_color_space = jpeg->num_components == 1   ? JCS_GRAYSCALE
                                : jpeg->num_components == 4 ? JCS_CMYK
                                                            : JCS_RGB;
        break;
    case COLOR_YCBCR:
        jpeg->jpeg_color_space = JCS_YCbCr;
        jpeg->out_color_space = JCS_RGB;
        break;
    case COLOR_UNKNOWN:
        jpeg->jpeg_color_space = JCS_UNKNOWN;
        jpeg->out_color_space = JCS_UNKNOWN;
        break;
    }
    decoder->progress.progress_monitor = refuse_many_scans;
    jpeg->progress = &decoder->progress;
    return jpeg_start_decompress(jpeg) ? STATUS_OK : STATUS_TRUNCATED;
}

int classify_jpeg_crop(struct decoder *decoder, unsigned int *first, unsigned int *columns) {
    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    jpeg_crop_scanline(&decoder->jpeg, first, columns);
    return STATUS_OK;
}

int classify_jpeg_skip(struct decoder *decoder, unsigned int rows) {
    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    /* libjpeg does not tell when it lacks the data of rows that it skips. */
    decoder->starved = 0;
    jpeg_skip_scanlines(&decoder->jpeg, rows);
    return decoder->starved ? STATUS_TRUNCATED : STATUS_OK;
}

int classify_jpeg_read(struct decoder *decoder, unsigned char *pixels, size_t row_length, unsigned int rows) {
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;

    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    if ((size_t)jpeg->output_width * (unsigned int)jpeg->output_components != row_length ||
        rows > jpeg->output_height - jpeg->output_scanline) {
        snprintf(decoder->message, JMSG_LENGTH_MAX, "the image does not match its header");
        return STATUS_BROKEN;
    }
    for (unsigned int index = 0; index < rows; index++) {
        JSAMPROW row = pixels + index * row_length;
        if (jpeg_read_scanlines(jpeg, &row, 1) != 1) {
            return STATUS_TRUNCATED;
        }
    }
    return STATUS_OK;
}

int classify_jpeg_finish(struct decoder *decoder) {
    if (setjmp(decoder->escape)) {
        return STATUS_BROKEN;
    }
    /* What is missing behind the last row, such as the end marker, no longer matters. */
    jpeg_finish_decompress(&decoder->jpeg);
    return STATUS_OK;
}

const char *classify_jpeg_message(const struct decoder *decoder) {
    return decoder->message;
}

void classify_jpeg_close(struct decoder *decoder) {
    if (decoder != NULL) {
        jpeg_destroy_decompress(&decoder->jpeg);
        free(decoder);
    }
}
