#include "prober/control/control.h"

struct remote *
remote_new(
    struct control *c, const char *address, const struct control_config *cfg)
{
	(void)c;
	(void)address;
	(void)cfg;
	return NULL;
}
void
remote_free(struct remote *r)
{
	(void)r;
}
const char *
remote_describe(const struct remote *r)
{
	(void)r;
	return "";
}
