/* found.h: what the small programs of the two-view methods print while they learn; include it after ssl.h. */
#ifndef FOUND_H
#define FOUND_H
enum { BATCH = 128 };
/* Of how many images of the batch the features of one view are nearest to those of the other view of the same image, in percent. */
static double found(const ssl_siamese_trace *t)
{
    static float cosine[BATCH * BATCH];
    int i, j, best, hits = 0;
    if (!ssl_to_host(ssl_matmul_t(ssl_l2_normalize(t->feature[0], 1e-12f), ssl_l2_normalize(t->feature[1], 1e-12f), 0, 1), cosine)) return 0.0;
    for (i = 0; i < BATCH; i++) {
        for (j = best = 0; j < BATCH; j++) if (cosine[i * BATCH + j] > cosine[i * BATCH + best]) best = j;
        hits += best == i;
    }
    return 100.0 * hits / BATCH;
}
#endif
