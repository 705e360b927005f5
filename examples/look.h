/* look.h: where the tokens and the attention of a method's network come from, for the picture look.png. Included by run.h. */
#ifndef LOOK_H
#define LOOK_H
#include "methods.h"

static int apl_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_apl_look((const ssl_apl *)model, images, look); }
static int mae_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_vit_look(((const ssl_mae *)model)->vit, images, look); }
static int mask_token_mae_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_mask_token_mae_look((const ssl_mask_token_mae *)model, images, look); }
static int randsac_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_randsac_look((const ssl_randsac *)model, images, look); }
static int jigsaw_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_jigsaw_look((const ssl_jigsaw *)model, images, look); }
static int rotation_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_backbone_look(((const ssl_rotation *)model)->backbone, images, look); }
static int mp3_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_vit_look(((const ssl_mp3 *)model)->vit, images, look); }
static int siamese_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_backbone_look(((const ssl_siamese *)model)->online.backbone, images, look); }
static int pixpro_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_resnet_look(((const ssl_pixpro *)model)->net[0], images, look); }
static int cpc_look(void *model, ssl_tensor *images, ssl_look *look) { return ssl_map_look(ssl_cpc_grid((const ssl_cpc *)model, images), look); }
static int amdim_look(void *model, ssl_tensor *images, ssl_look *look) /* the map with the most places */
{
    ssl_tensor *map[SSL_AMDIM_MAPS];
    const int n = ssl_amdim_maps((const ssl_amdim *)model, images, map);
    return ssl_map_look(map[n > 0 ? n - 1 : 0], look);
}
typedef int (*look_fn)(void *model, ssl_tensor *images, ssl_look *look);
static look_fn look_of(const method *m) /* by what gives its features; NULL: there is none */
{
    static const struct { ssl_feature_fn features; look_fn look; } looks[] = {
        { apl_features, apl_look }, { mae_features, mae_look }, { mask_token_mae_features, mask_token_mae_look }, { randsac_features, randsac_look },
        { jigsaw_features, jigsaw_look }, { rotation_features, rotation_look }, { mp3_features, mp3_look }, { siamese_features, siamese_look },
        { pixpro_features, pixpro_look }, { cpc_features, cpc_look }, { amdim_features, amdim_look },
    };
    size_t i;
    for (i = 0; i < sizeof looks / sizeof *looks; i++) if (looks[i].features == m->features) return looks[i].look;
    return NULL;
}
#endif
