/* cc -O2 -fopenmp -I. examples/custom_loss.c -lm -pthread   An objective and an op of one's own, differentiated for free. */
#define SSL_IMPLEMENTATION
#include "ssl.h"
#include <math.h>
#include "found.h"

/* An op of one's own: y = sin x, dx += dy cos x. */
static void sin_forward(ssl_tensor *y)
{
    const int64_t n = ssl_numel(y);
    int64_t i;
    for (i = 0; i < n; i++) y->x[i] = sinf(y->in[0]->x[i]);
}
static void sin_backward(ssl_tensor *y)
{
    float *dx = ssl_grad_of(y->in[0]); /* NULL if nobody asks for it */
    const int64_t n = ssl_numel(y);
    int64_t i;
    for (i = 0; dx && i < n; i++) dx[i] += y->g[i] * cosf(y->in[0]->x[i]);
}
static ssl_tensor *my_sin(ssl_tensor *x) { return ssl_custom_op(x->ctx, "my_sin", sin_forward, sin_backward, NULL, 0, 1, &x, x->ndim, x->dim); }

/* A loss of one's own: the predictor of one view meets the other view, which is held constant.  [B,D] each. */
static ssl_tensor *my_loss(ssl_tensor *p1, ssl_tensor *p2, ssl_tensor *z1, ssl_tensor *z2)
{
    ssl_tensor *a = ssl_mean(ssl_cosine_similarity(p1, ssl_detach(z2)));
    ssl_tensor *b = ssl_mean(ssl_cosine_similarity(p2, ssl_detach(z1)));
    return ssl_scale(ssl_add(a, b), -0.5f);
}

static ssl_tensor *features(void *vit, ssl_tensor *images) { return ssl_vit_features((const ssl_vit *)vit, images); }

int main(void)
{
    ssl_ctx *ctx = ssl_open(NULL);
    ssl_dataset *data = ssl_dataset_open(ctx, "synthetic:512");
    ssl_vit_desc vd = SSL_ZERO;
    ssl_augment_desc view = SSL_ZERO;
    ssl_loader_desc ld = SSL_ZERO;
    ssl_loader *loader;
    ssl_linear_layer predictor;
    ssl_vit *vit;
    ssl_batch b;
    double before;

    ssl_augment_preset("simclr", &view);
    ld.batch = 64;
    ld.epochs = 2;
    ld.n_views = 2;
    ld.augment = &view;
    loader = ssl_loader_open(data, &ld);
    vd.dim = 64;
    vd.depth = 2;
    vit = ssl_vit_new(ctx, "vit", &vd);
    predictor = ssl_linear_new(ctx, "predictor", 64, 64, 0, ssl_init_make(SSL_INIT_XAVIER_UNIFORM, 0.0f));
    before = found(ctx, features, vit);

    while (ssl_ok(ctx) && ssl_loader_next(loader, &b)) {
        ssl_tensor *z1 = ssl_vit_features(vit, b.views[0]);
        ssl_tensor *z2 = ssl_vit_features(vit, b.views[1]);
        ssl_tensor *p1 = my_sin(ssl_linear(z1, predictor.weight, predictor.bias));
        ssl_tensor *p2 = my_sin(ssl_linear(z2, predictor.weight, predictor.bias));
        ssl_tensor *loss = my_loss(p1, p2, z1, z2);
        ssl_backward(loss);
        if (b.step == 0) printf("epoch %d  loss %.4f\n", b.epoch, (double)ssl_item(loss));
        ssl_adamw_step(ctx, 1e-3f);
        ssl_step_end(ctx);
    }
    found_print(before, found(ctx, features, vit));
    return ssl_close(ctx);
}
