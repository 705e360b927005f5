/* found.h: what the small programs say at their end; include it after ssl.h. */
#ifndef FOUND_H
#define FOUND_H
#include <stdio.h>
/* Of 1000 unseen images, how many have the class that the votes of their 20 nearest among 2000 others say, in percent; chance 10.
   fn gives the features, as in ssl_features_of. */
static double found(ssl_ctx *ctx, ssl_feature_fn fn, void *model)
{
    ssl_dataset_desc unseen = SSL_ZERO;
    ssl_features *train, *test;
    ssl_score score;
    unseen.split = "test";
    train = ssl_features_of(ssl_dataset_open(ctx, "synthetic:2000"), NULL, 0, fn, model);
    test = ssl_features_of(ssl_dataset_open_desc(ctx, "synthetic:1000", &unseen), NULL, 0, fn, model);
    score = ssl_knn(train, test, NULL);
    ssl_features_free(train);
    ssl_features_free(test);
    return 100.0 * score.top1;
}
static void found_print(double before, double after) { printf("features: %.1f%% of 1000 unseen images right by k-NN, %.1f%% before training (chance: 10%%)\n", after, before); }
#endif
