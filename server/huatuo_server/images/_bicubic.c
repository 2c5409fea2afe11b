/*
 * Pillow's two passes of a bicubic resize over 8-bit channels, bit for bit, written so that a compiler makes vector
 * instructions of them: Pillow's own loops over three channels are scalar. See bicubic.py.
 *
 * A result is (initial + sum of pixel * weight) >> 22, kept within 0 to 255. Weights are whole numbers of 22 bits after
 * the point (Pillow's Resample.c); 255 times the sum of their sizes stays below 2^31.
 */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && defined(__gnu_linux__)
/* Multiplying 32 bits needs SSE 4.1, wider vectors more; which ones the processor has is seen when this is loaded. */
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "sse4.1", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

#define SHIFT 22
#define LANES 64 /* sums worked on at once: four vectors of AVX-512, and what one cache line holds of pixels */

typedef struct {
    const int32_t *starts;  /* of each result: the place of its first pixel, which may lie before the picture */
    const int32_t *weights; /* of each result: `taps` of them */
    Py_ssize_t results, taps;
} Filter;

/* Adds `count` rows of LANES bytes, `step` bytes apart, each times its weight. */
static inline void
weigh(int32_t *restrict sums, const uint8_t *restrict rows, Py_ssize_t step, const int32_t *restrict weights,
      Py_ssize_t count)
{
    for (Py_ssize_t k = 0; k < count; k++, rows += step)
        for (int lane = 0; lane < LANES; lane++)
            sums[lane] += rows[lane] * weights[k];
}

static inline uint8_t
shade(int32_t sum)
{
    int32_t value = sum >> SHIFT;
    return value < 0 ? 0 : value > 255 ? 255 : value;
}

/* The part of a result's pixels that lies within `length` of them; empty where *from >= *to. */
static inline void
within(const Filter *filter, Py_ssize_t result, Py_ssize_t length, Py_ssize_t *from, Py_ssize_t *to)
{
    Py_ssize_t start = filter->starts[result];
    *from = start < 0 ? 0 : start;
    *to = start + filter->taps > length ? length : start + filter->taps;
}

static inline const int32_t *
weights_from(const Filter *filter, Py_ssize_t result, Py_ssize_t from)
{
    return filter->weights + result * filter->taps + (from - filter->starts[result]);
}

/* Lays rows side by side, pixel by pixel. All of `most` are unrolled, fewer are not. */
static inline void
lay(uint8_t *restrict side_by_side, const uint8_t *restrict first, Py_ssize_t width, Py_ssize_t rows, Py_ssize_t most,
    Py_ssize_t pixel_bytes)
{
    for (Py_ssize_t x = 0; x < width; x++, side_by_side += LANES, first += pixel_bytes)
        if (rows == most)
            for (Py_ssize_t row = 0; row < most; row++)
                memcpy(side_by_side + row * pixel_bytes, first + row * width * pixel_bytes, pixel_bytes);
        else
            for (Py_ssize_t row = 0; row < rows; row++)
                memcpy(side_by_side + row * pixel_bytes, first + row * width * pixel_bytes, pixel_bytes);
}

/* Sums of so many rows' pixels, four of each -> three bytes of each. */
static inline void
put_colours(const int32_t *sums, const int32_t *initial, uint8_t *pixel, Py_ssize_t step, Py_ssize_t rows)
{
    uint8_t shades[LANES];
    for (int lane = 0; lane < LANES; lane++)
        shades[lane] = shade(sums[lane] + initial[lane & 3]);
    for (Py_ssize_t row = 0; row < rows; row++)
        memcpy(pixel + row * step, shades + 4 * row, 3);
}

/* One sum of each -> three bytes of each, which differ where the padding's colour plays a part. */
static inline void
put_greys(const int32_t *sums, const int32_t *initial, uint8_t *pixel, Py_ssize_t step, Py_ssize_t rows)
{
    uint8_t shades[3][LANES];
    for (int channel = 0; channel < 3; channel++)
        for (int lane = 0; lane < LANES; lane++)
            shades[channel][lane] = shade(sums[lane] + initial[channel]);
    for (Py_ssize_t row = 0; row < rows; row++)
        for (int channel = 0; channel < 3; channel++)
            pixel[row * step + channel] = shades[channel][row];
}

/*
 * Rows of a picture -> rows of filter->results RGB pixels.
 *
 * So many rows as fill LANES bytes are laid side by side first, pixel by pixel, so that each weight meets a whole
 * cache line. pixel_bytes: 4 (red, green, blue and one that is ignored) or 1 (grey).
 */
FOR_EVERY_PROCESSOR static void
across_rows(const uint8_t *pixels, Py_ssize_t height, Py_ssize_t width, int pixel_bytes, const Filter *filter,
            const int32_t *initial, uint8_t *side_by_side, uint8_t *out, Py_ssize_t out_step)
{
    Py_ssize_t together = LANES / pixel_bytes;
    for (Py_ssize_t top = 0; top < height; top += together) {
        Py_ssize_t rows = height - top < together ? height - top : together;
        const uint8_t *first = pixels + top * width * pixel_bytes;
        if (pixel_bytes == 4)
            lay(side_by_side, first, width, rows, LANES / 4, 4);
        else
            lay(side_by_side, first, width, rows, LANES, 1);
        for (Py_ssize_t result = 0; result < filter->results; result++) {
            int32_t sums[LANES] = {0};
            Py_ssize_t from, to;
            within(filter, result, width, &from, &to);
            if (from < to)
                weigh(sums, side_by_side + from * LANES, LANES, weights_from(filter, result, from), to - from);
            uint8_t *pixel = out + top * out_step + 3 * result;
            if (pixel_bytes == 4)
                put_colours(sums, initial + 4 * result, pixel, out_step, rows);
            else
                put_greys(sums, initial + 4 * result, pixel, out_step, rows);
        }
    }
}

/* Rows of bytes -> filter->results rows of as many. */
FOR_EVERY_PROCESSOR static void
down_columns(const uint8_t *rows, Py_ssize_t height, Py_ssize_t row_bytes, const Filter *filter, uint8_t *out)
{
    for (Py_ssize_t result = 0; result < filter->results; result++) {
        Py_ssize_t from, to;
        within(filter, result, height, &from, &to);
        for (Py_ssize_t x = 0; x < row_bytes; x += LANES) {
            /* The last lanes of a row are worked on again rather than fewer of them. */
            Py_ssize_t place = x + LANES <= row_bytes ? x : row_bytes - LANES;
            int32_t sums[LANES];
            for (int lane = 0; lane < LANES; lane++)
                sums[lane] = 1 << (SHIFT - 1);
            if (from < to)
                weigh(sums, rows + from * row_bytes + place, row_bytes, weights_from(filter, result, from), to - from);
            for (int lane = 0; lane < LANES; lane++)
                out[result * row_bytes + place + lane] = shade(sums[lane]);
        }
    }
}

/* Whether starts and weights are whole, and no result begins behind the picture. */
static int
read_filter(Filter *filter, const Py_buffer *starts, const Py_buffer *weights, Py_ssize_t length)
{
    filter->starts = starts->buf;
    filter->weights = weights->buf;
    filter->results = starts->len / (Py_ssize_t)sizeof(int32_t);
    filter->taps = filter->results ? weights->len / (Py_ssize_t)sizeof(int32_t) / filter->results : 0;
    if (!filter->results || weights->len != filter->results * filter->taps * (Py_ssize_t)sizeof(int32_t))
        return 0;
    for (Py_ssize_t result = 0; result < filter->results; result++)
        if (filter->starts[result] < -INT32_MAX / 2 || filter->starts[result] > length + INT32_MAX / 2)
            return 0;
    return 1;
}

static PyObject *
across(PyObject *module, PyObject *args)
{
    Py_buffer pixels, starts, weights, initial, out;
    Py_ssize_t width, first_row;
    int pixel_bytes;
    PyObject *done = NULL;
    if (!PyArg_ParseTuple(args, "y*iny*y*y*w*n", &pixels, &pixel_bytes, &width, &starts, &weights, &initial, &out,
                          &first_row))
        return NULL;
    Filter filter;
    int fits = (pixel_bytes == 1 || pixel_bytes == 4) && width > 0 && width < INT32_MAX / LANES && first_row >= 0 &&
               read_filter(&filter, &starts, &weights, width) && pixels.len % (width * pixel_bytes) == 0;
    Py_ssize_t height = fits ? pixels.len / (width * pixel_bytes) : 0;
    Py_ssize_t step = fits ? 3 * filter.results : 0;
    fits = fits && initial.len == 4 * filter.results * (Py_ssize_t)sizeof(int32_t) && height <= out.len / step &&
           first_row <= out.len / step - height;
    uint8_t *side_by_side = fits ? PyMem_Calloc(width, LANES) : NULL;
    if (!fits)
        PyErr_SetString(PyExc_ValueError, "the buffers do not fit together");
    else if (!side_by_side)
        PyErr_NoMemory();
    else {
        across_rows(pixels.buf, height, width, pixel_bytes, &filter, initial.buf, side_by_side,
                    (uint8_t *)out.buf + first_row * step, step);
        done = Py_NewRef(Py_None);
    }
    PyMem_Free(side_by_side);
    PyBuffer_Release(&pixels);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&weights);
    PyBuffer_Release(&initial);
    PyBuffer_Release(&out);
    return done;
}

static PyObject *
down(PyObject *module, PyObject *args)
{
    Py_buffer rows, starts, weights, out;
    Py_ssize_t row_bytes;
    PyObject *done = NULL;
    if (!PyArg_ParseTuple(args, "y*ny*y*w*", &rows, &row_bytes, &starts, &weights, &out))
        return NULL;
    Filter filter;
    if (row_bytes < LANES || rows.len % row_bytes || !read_filter(&filter, &starts, &weights, rows.len / row_bytes) ||
        out.len != filter.results * row_bytes)
        PyErr_SetString(PyExc_ValueError, "the buffers do not fit together");
    else {
        down_columns(rows.buf, rows.len / row_bytes, row_bytes, &filter, out.buf);
        done = Py_NewRef(Py_None);
    }
    PyBuffer_Release(&rows);
    PyBuffer_Release(&starts);
    PyBuffer_Release(&weights);
    PyBuffer_Release(&out);
    return done;
}

static PyMethodDef methods[] = {
    {"across", across, METH_VARARGS, NULL},
    {"down", down, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_bicubic", NULL, 0, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC
PyInit__bicubic(void)
{
    return PyModuleDef_Init(&definition);
}
