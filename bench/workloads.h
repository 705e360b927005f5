/* workloads.h: the seven models that the train table measures, as bench/peer_torch.py builds them in PyTorch. One step is forward,
 * loss, backward and optimizer on images that lie in memory; W7 is forward alone. An image counts once, whatever its views. */
#ifndef WORKLOADS_H
#define WORKLOADS_H

typedef struct workload {
    const char *name, *doc;
    int batch, side, views;                 /* images [batch,3,side,side], as many tensors as views */
    ssl_optim_kind optimizer;               /* SSL_OPTIM_DEFAULT: no training */
    float beta1, beta2;
    void *(*create)(ssl_ctx *c);
    ssl_tensor *(*loss)(void *model, ssl_tensor *const *views); /* W7: the features */
    void (*update)(void *model);            /* after the optimizer's step; or NULL */
} workload;

static void *w1_create(ssl_ctx *c) { return ssl_mae_new(c, "", NULL); }
static ssl_tensor *w1_loss(void *m, ssl_tensor *const *v) { return ssl_mae_loss((const ssl_mae *)m, v[0], NULL); }

static void *w2_create(ssl_ctx *c)
{
    ssl_apl_desc d = SSL_ZERO;
    d.image_size = 96; d.grid = 7; d.crop = 1; /* patch 13, cropped 12: D = 3 x 12 x 12 */
    d.depth = 4; d.heads = 16; d.hidden_mult = 3;
    d.patch_dropout = 0.1f; d.dropout = 0.15f;
    return ssl_apl_new(c, "", &d);
}
static ssl_tensor *w2_loss(void *m, ssl_tensor *const *v) { return ssl_apl_loss((const ssl_apl *)m, v[0], NULL); }

static void *w3_create(ssl_ctx *c)
{
    ssl_randsac_desc d = SSL_ZERO;
    d.patch = 4; d.segment = 2; d.dim = 192; d.depth = 6; d.decoder_depth = 4;
    return ssl_randsac_new(c, "", &d);
}
static ssl_tensor *w3_loss(void *m, ssl_tensor *const *v) { return ssl_randsac_loss((const ssl_randsac *)m, v[0], NULL); }

static void *w4_create(ssl_ctx *c)
{
    ssl_siamese_desc d = SSL_ZERO;
    d.kind = SSL_SIAMESE_SIMCLR;
    d.backbone.kind = SSL_BACKBONE_RESNET;
    d.backbone.resnet.depth = 18;
    d.backbone.resnet.cifar_stem = 1;
    return ssl_siamese_new(c, "", &d);
}
static ssl_tensor *w4_loss(void *m, ssl_tensor *const *v) { return ssl_siamese_loss((const ssl_siamese *)m, 2, v, NULL); }

static void *w5_create(ssl_ctx *c)
{
    ssl_pixpro_desc d = SSL_ZERO;
    d.resnet.depth = 50;
    d.image_size = 256;
    return ssl_pixpro_new(c, "", &d);
}
static ssl_tensor *w5_loss(void *m, ssl_tensor *const *v) { return ssl_pixpro_loss((const ssl_pixpro *)m, v[0], v[1], NULL); }
static void w5_update(void *m) { ssl_pixpro_update((const ssl_pixpro *)m); }

static void *w6_create(ssl_ctx *c)
{
    ssl_cpc_desc d = SSL_ZERO;
    d.patch = 8; d.stride = 4;
    return ssl_cpc_new(c, "", &d);
}
static ssl_tensor *w6_loss(void *m, ssl_tensor *const *v) { return ssl_cpc_loss((const ssl_cpc *)m, v[0], NULL); }

static void *w7_create(ssl_ctx *c)
{
    ssl_vit_desc d = SSL_ZERO;
    d.image_size = 224; d.patch = 16; d.dim = 384; d.depth = 12; d.heads = 6;
    return ssl_vit_new(c, "", &d);
}
static ssl_tensor *w7_features(void *m, ssl_tensor *const *v) { return ssl_vit_features((const ssl_vit *)m, v[0]); }

static const workload workloads[] = {
    { "W1", "MAE, ViT-Tiny, 32 px", 256, 32, 1, SSL_OPTIM_ADAMW, 0.9f, 0.95f, w1_create, w1_loss, NULL },
    { "W2", "APL 7,1, 96 px", 128, 96, 1, SSL_OPTIM_ADAM, 0.9f, 0.999f, w2_create, w2_loss, NULL },
    { "W3", "RandSAC, 32 px", 128, 32, 1, SSL_OPTIM_ADAMW, 0.9f, 0.95f, w3_create, w3_loss, NULL },
    { "W4", "SimCLR, ResNet-18, 32 px", 128, 32, 2, SSL_OPTIM_SGD, 0.0f, 0.0f, w4_create, w4_loss, NULL },
    { "W5", "PixPro, ResNet-50, 256 px", 10, 256, 2, SSL_OPTIM_ADAM, 0.9f, 0.999f, w5_create, w5_loss, w5_update },
    { "W6", "CPC v2, ResNet-18, 32 px", 64, 32, 1, SSL_OPTIM_ADAM, 0.8f, 0.999f, w6_create, w6_loss, NULL },
    { "W7", "features, ViT-S/16, 224 px", 32, 224, 1, SSL_OPTIM_DEFAULT, 0.0f, 0.0f, w7_create, w7_features, NULL },
};
#define N_WORKLOADS ((int)(sizeof workloads / sizeof *workloads))

/* ---- a workload at work ---- */
typedef struct job {
    const workload *w;
    ssl_ctx *c;
    void *model;
    int batch;
    float *images;        /* [views,batch,3,side,side] */
    ssl_tensor view[2];   /* the same on the device, as a loader would hand them out */
    int64_t steps, ticket; /* of the last loss, which a GPU may still be computing */
    double loss;          /* of the last step; on a GPU of the one before */
} job;

static int job_open(job *j, const workload *w, ssl_ctx *c, int batch)
{
    const size_t n = (size_t)w->views * (size_t)batch * 3 * (size_t)w->side * (size_t)w->side;
    ssl_rng r = ssl_rng_make(5, 6);
    size_t i;
    int v;
    j->w = w;
    j->c = c;
    j->batch = batch;
    j->model = w->create(c);
    j->images = (float *)SSL_MALLOC(n * sizeof(float));
    for (i = 0; j->images && i < n; i++) j->images[i] = 2.0f * ssl_rng_uniform(&r) - 1.0f;
    for (v = 0; j->images && v < w->views; v++) {
        ssl_tensor *t = &j->view[v];
        float *host = j->images + n / (size_t)w->views * (size_t)v;
        t->ctx = c;
        t->op = "images";
        t->at = SSL_HERE;
        t->ndim = 4;
        t->dim[0] = batch; t->dim[1] = 3; t->dim[2] = t->dim[3] = w->side;
        t->x = c->device == SSL_DEVICE_CPU ? host : (float *)ssl__device_alloc(c, t->at, ssl__bytes(t));
        if (t->x != host && ssl_ok(c)) ssl__put(c, t->x, host, ssl__bytes(t));
    }
    if (w->optimizer == SSL_OPTIM_DEFAULT) {
        ssl_train(c, 0);
        ssl_no_grad(c, 1);
    }
    return j->images && ssl_ok(c);
}

static void job_step(job *j)
{
    const workload *w = j->w;
    ssl_optim_desc o = SSL_ZERO;
    ssl_tensor *views[2], *loss;
    int64_t before = j->ticket;
    views[0] = &j->view[0]; views[1] = &j->view[1];
    loss = w->loss(j->model, views);
    j->ticket = ssl_item_begin(loss);
    if (j->c->device == SSL_DEVICE_CPU || !j->steps++) before = j->ticket;
    j->loss = (double)ssl_item_end(j->c, before); /* a GPU is never more than a step behind */
    if (w->optimizer != SSL_OPTIM_DEFAULT) {
        o.kind = w->optimizer;
        o.beta1 = w->beta1;
        o.beta2 = w->beta2;
        ssl_backward(loss);
        ssl_optim_step(j->c, &o, 1e-4f);
        if (w->update) w->update(j->model);
    }
    ssl_step_end(j->c);
}

static void job_close(job *j)
{
    int v;
    for (v = 0; v < 2; v++) if (j->view[v].x && j->c->device != SSL_DEVICE_CPU) j->c->dev->release(j->c, j->view[v].x);
    SSL_FREE(j->images);
}

/* ---- what a step computes: multiply-adds of products, attention and convolutions, each counted as two operations. Attention
   is counted without masks: 2 products forward, 4 backward (recomputed scores are not useful work). ---- */
static struct { const ssl__kernels *k; const ssl__map_kernels *maps; const ssl__half_map_kernels *half_maps; double flops; } counted;

static void count_gemm(ssl_ctx *c, int ta, int tb, int batch, int m, int n, int k, const float *a, int lda, int64_t sa, const float *b, int ldb,
                       int64_t sb, float beta, float *y, int ldy, int64_t sy, const ssl__epilogue *ep)
{
    counted.flops += 2.0 * batch * m * n * k;
    counted.k->gemm(c, ta, tb, batch, m, n, k, a, lda, sa, b, ldb, sb, beta, y, ldy, sy, ep);
}
static double attention_product(const ssl__attn *a) { return 2.0 * a->B * a->H * a->Tq * a->Tk * a->d; }
static void count_linear_bw(ssl_ctx *c, int rows, int in, int out, const float *x, const float *dy, float beta, float *dw, float *db)
{
    counted.flops += 2.0 * rows * in * out;
    counted.k->linear_bw(c, rows, in, out, x, dy, beta, dw, db);
}
static void count_attn_f(ssl_ctx *c, const ssl__attn *a, float *y, float *stat)
{
    counted.flops += 2 * attention_product(a);
    counted.k->attn_f(c, a, y, stat);
}
static void count_attn_b(ssl_ctx *c, const ssl__attn *a, const float *y, const float *stat, const float *dy, const float beta[3], float *dq, float *dk,
                         float *dv, float *dmask)
{
    counted.flops += 4 * attention_product(a);
    counted.k->attn_b(c, a, y, stat, dy, beta, dq, dk, dv, dmask);
}
static double window_product(const ssl__window *g) { return 2.0 * g->n * g->co * g->oh * g->ow * (g->ci / g->groups) * g->kh * g->kw; }
static void count_conv_f(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *bias, float *y)
{
    counted.flops += window_product(g);
    counted.maps->conv_f(c, g, x, w, bias, y);
}
static void count_conv_bx(ssl_ctx *c, const ssl__window *g, const float *w, const float *dy, float beta, float *dx)
{
    counted.flops += window_product(g);
    counted.maps->conv_bx(c, g, w, dy, beta, dx);
}
static void count_conv_bw(ssl_ctx *c, const ssl__window *g, const float *x, const float *dy, float *dw)
{
    counted.flops += window_product(g);
    counted.maps->conv_bw(c, g, x, dy, dw);
}
static void count_half_conv_b(ssl_ctx *c, const ssl__window *g, const float *x, const float *w, const float *dy, float beta, float *dx, float *dw)
{
    counted.flops += ((dx != NULL) + (dw != NULL)) * window_product(g);
    counted.half_maps->half_conv_b(c, g, x, w, dy, beta, dx, dw);
}

/* One step, counted. The tables of kernels are replaced for that step alone. */
static double job_flops(job *j)
{
    ssl__kernels k = *j->c->k;
    ssl__map_kernels maps = *ssl__maps(j->c);
    ssl__half_map_kernels half;
    counted.k = j->c->k;
    counted.maps = ssl__maps(j->c);
    counted.half_maps = ssl__half_maps(j->c);
    counted.flops = 0;
    k.gemm = count_gemm;
    k.linear_bw = count_linear_bw;
    k.attn_f = count_attn_f;
    k.attn_b = count_attn_b;
    maps.conv_f = count_conv_f;
    maps.conv_bx = count_conv_bx;
    maps.conv_bw = count_conv_bw;
    if (counted.half_maps) {
        half = *counted.half_maps;
        half.half_conv_b = count_half_conv_b;
        j->c->half_maps = &half;
    }
    j->c->k = &k;
    j->c->maps = &maps;
    job_step(j);
    j->c->k = counted.k;
    j->c->maps = counted.maps;
    j->c->half_maps = counted.half_maps;
    return counted.flops;
}

#endif
