/* events.h: numbers over time as TensorBoard reads them: DIR/events.out.tfevents.SECONDS, a TFRecord file of Event messages. */
#ifndef EVENTS_H
#define EVENTS_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static uint32_t events_crc(const unsigned char *p, size_t n) /* CRC-32C (Castagnoli), masked as TFRecord wants it */
{
    uint32_t crc = 0xffffffffu;
    int k;
    for (; n--; p++) for (crc ^= *p, k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}
static int events_record(FILE *f, const unsigned char *data, size_t n) /* length, its CRC, data, its CRC; little-endian. 0: not written */
{
    unsigned char head[8] = { 0 }, tail[4];
    uint32_t crc;
    int i;
    for (i = 0; i < 4; i++) head[i] = (unsigned char)(n >> 8 * i);
    fwrite(head, 1, 8, f);
    for (i = 0, crc = events_crc(head, 8); i < 4; i++) tail[i] = (unsigned char)(crc >> 8 * i);
    fwrite(tail, 1, 4, f);
    fwrite(data, 1, n, f);
    for (i = 0, crc = events_crc(data, n); i < 4; i++) tail[i] = (unsigned char)(crc >> 8 * i);
    fwrite(tail, 1, 4, f);
    return !fflush(f) && !ferror(f);
}
/* Protocol buffers: a key is field << 3 | type, type 0 a varint, 1 eight bytes, 2 a length and so many bytes, 5 four bytes. */
static size_t events_bits(unsigned char *p, int key, const void *value, size_t n) /* a float or double */
{
    *p = (unsigned char)key;
    memcpy(p + 1, value, n);
    return 1 + n;
}
static size_t events_varint(unsigned char *p, int key, uint64_t value)
{
    size_t n = 1;
    for (*p = (unsigned char)key; value > 127; value >>= 7) p[n++] = (unsigned char)(value | 128);
    p[n++] = (unsigned char)value;
    return n;
}
static size_t events_bytes(unsigned char *p, int key, const void *data, size_t size)
{
    const size_t n = events_varint(p, key, size);
    memcpy(p + n, data, size);
    return n + size;
}
static size_t events_time(unsigned char *p)
{
    const double now = (double)time(NULL);
    return events_bits(p, 1 << 3 | 1, &now, 8);
}
static FILE *events_open(const char *directory) /* NULL if it cannot be written */
{
    unsigned char event[64];
    char path[1024];
    FILE *f;
    size_t n;
    snprintf(path, sizeof path, "%s/events.out.tfevents.%lld", directory, (long long)time(NULL));
    if (!(f = fopen(path, "ab"))) return NULL;
    n = events_time(event);
    n += events_bytes(event + n, 3 << 3 | 2, "brain.Event:2", 13);
    if (events_record(f, event, n)) return f;
    fclose(f);
    return NULL;
}
/* values[i] under the name that stands at place i of "a,b,c"; 0 if they could not be written */
static int events_row(FILE *f, int64_t step, const char *names, const double *values)
{
    unsigned char event[4096], summary[3072], value[256];
    size_t n, used = 0, m;
    for (; *names && used + 300 < sizeof summary; names += m + (names[m] == ','), values++) {
        const float x = (float)*values;
        m = strcspn(names, ",");
        n = events_bytes(value, 1 << 3 | 2, names, m < 128 ? m : 128);
        n += events_bits(value + n, 2 << 3 | 5, &x, 4);
        used += events_bytes(summary + used, 1 << 3 | 2, value, n);
    }
    n = events_time(event);
    n += events_varint(event + n, 2 << 3 | 0, (uint64_t)step);
    n += events_bytes(event + n, 5 << 3 | 2, summary, used);
    return events_record(f, event, n);
}
#endif
