/* Small networks whose maps are bf16 at `bf16` (beside ResNets): test_maps.c on the CPU, device.c on the GPU. */
typedef enum network { NET_AMDIM, NET_AMDIM_NORM, NET_APL_CNN, NET_PIXELCNN, NET_PIXEL_MLP, NETWORKS } network;
static const char *const network_name[NETWORKS] = { "amdim", "amdim with batch norm", "apl's cnn", "pixelcnn", "mlp of pixels" };

/* An input of the network with a gradient, [B,C,side,side] */
static ssl_tensor *network_input(ssl_ctx *c, int B, int C, int side)
{
    float *x = (float *)malloc(sizeof *x * (size_t)(B * C * side * side));
    ssl_tensor *t;
    int i;
    for (i = 0; i < B * C * side * side; i++) x[i] = sinf(0.37f * (float)i) + 0.5f * sinf(0.0113f * (float)i * (float)(i % 31));
    t = ssl_requires_grad(ssl_input(c, x, 4, B, C, side, side));
    free(x);
    return t;
}
static ssl_tensor *network_amdim(ssl_ctx *c, int batch_norm, ssl_tensor **x)
{
    ssl_amdim_desc d = SSL_ZERO;
    ssl_tensor *map[SSL_AMDIM_MAPS], *sum = NULL;
    int i, n;
    d.ndf = 8; d.rkhs = 24; d.depth = 2; d.batch_norm = batch_norm;
    *x = network_input(c, 4, 3, 32);
    n = ssl_amdim_maps(ssl_amdim_new(c, "m", &d), *x, map);
    for (i = 0; i < n; i++) sum = sum ? ssl_add(sum, ssl_mean(ssl_square(ssl_add_scalar(map[i], 0.3f)))) : ssl_mean(ssl_square(ssl_add_scalar(map[i], 0.3f)));
    return sum;
}
/* A scalar that every output has part in; *x is the input. */
static ssl_tensor *network_loss(ssl_ctx *c, network which, ssl_tensor **x)
{
    ssl_apl_desc apl = SSL_ZERO;
    ssl_mlp_desc maps = SSL_ZERO;
    ssl_pixelcnn cnn;
    ssl_mlp mlp;
    switch (which) {
    case NET_AMDIM: case NET_AMDIM_NORM: return network_amdim(c, which == NET_AMDIM_NORM, x);
    case NET_APL_CNN:
        apl.encoder = SSL_APL_CNN;
        apl.depth = 1;
        apl.encoder_dropout = 0.25f;
        *x = network_input(c, 3, 3, 32);
        return ssl_apl_loss(ssl_apl_new(c, "m", &apl), *x, NULL);
    case NET_PIXELCNN:
        cnn = ssl_pixelcnn_new(c, "m", 24, 40, 2);
        *x = network_input(c, 3, 24, 7);
        return ssl_mean(ssl_square(ssl_add_scalar(ssl_pixelcnn_forward(&cnn, *x), 0.3f)));
    default:
        maps.conv = 1;
        mlp = ssl_mlp_new(c, "m", 24, 40, 11, &maps);
        *x = network_input(c, 5, 24, 7);
        return ssl_mean(ssl_square(ssl_add_scalar(ssl_mlp_forward(&mlp, *x), 0.3f)));
    }
}
/* The loss of one step and the gradients of the input and of every parameter, in y; returns how many values. */
static int64_t network_run(ssl_ctx *c, network which, float *y, size_t *bytes)
{
    ssl_tensor *x, *loss = network_loss(c, which, &x);
    int64_t n = 1;
    int k;
    ssl_backward(loss);
    y[0] = ssl_item(loss);
    if (ssl_grad_to_host(x, y + n)) n += ssl_numel(x);
    for (k = 0; k < ssl_param_count(c); k++)
        if (ssl_grad_to_host(ssl_param_at_index(c, k, NULL), y + n)) n += ssl_numel(ssl_param_at_index(c, k, NULL));
    *bytes = ssl_memory_stats(c).step_peak;
    return ssl_close(c) == SSL_OK ? n : 0;
}
