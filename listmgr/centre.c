#include "listmgr/centre.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/sync.h"

struct centre {
	struct centre_config cfg;
	struct settings settings;
	struct tls *tls;
	struct store store;
	struct place *place;
	struct sync *sync;
};

static int64_t
now_s(void)
{
	return clock_wall_ns() / NS_PER_SEC;
}

int
centre_check(const char *path)
{
	struct settings s;

	if (settings_load(&s, path) == -1)
		return EXIT_PERMANENT;
	settings_clear(&s);
	return EXIT_DONE;
}

static void
on_switched(void *arg)
{
	struct centre *c = arg;

	place_apply(c->place, now_s());
	c->cfg.ops->news(c->cfg.arg);
}

static void
on_probing(void *arg, int on)
{
	struct centre *c = arg;

	c->cfg.ops->probing(c->cfg.arg, on);
}

static void
on_tell_prober(void *arg)
{
	struct centre *c = arg;

	c->cfg.ops->tell_prober(c->cfg.arg);
}

static void
open_all(struct centre *c)
{
	struct settings *s = &c->settings;
	const char *why;

	if (settings_load(s, c->cfg.path) == -1)
		log_fatal(EXIT_PERMANENT, "%s: not usable", c->cfg.path);
	c->tls = tls_new(s->key, &why);
	if (c->tls == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s", s->key, why);
	if (store_open(&c->store, s->store, s->monitor, &s->anchor) == -1)
		log_fatal(errno == EBADMSG ? EXIT_PERMANENT : EXIT_TEMPORARY,
		    "store %s: %s", s->store,
		    errno == EWOULDBLOCK ? "another list manager is at work"
			: errno == EBADMSG
			? "seen is damaged: it says which texts are too old to "
			  "be taken again; remove the store to begin anew "
			  "without it"
			: strerror(errno));
}

struct centre *
centre_new(const struct centre_config *cfg)
{
	static const struct sync_ops ops = {
	    on_switched, on_probing, on_tell_prober};
	struct centre *c = xcalloc(1, sizeof(*c));

	c->cfg = *cfg;
	open_all(c);
	store_load(&c->store, now_s());
	c->place = place_new(cfg->roster, &c->store, c->settings.silence_ns);
	if (c->store.current != NULL)
		place_apply(c->place, now_s());
	c->sync = sync_new(&(struct sync_config){
	    .base = cfg->base,
	    .settings = &c->settings,
	    .tls = c->tls,
	    .store = &c->store,
	    .roster = cfg->roster,
	    .place = c->place,
	    .ops = &ops,
	    .arg = c,
	});
	return c;
}

void
centre_free(struct centre *c)
{
	if (c == NULL)
		return;
	sync_free(c->sync);
	place_free(c->place);
	store_close(&c->store);
	tls_free(c->tls);
	settings_clear(&c->settings);
	free(c);
}

void
centre_now(struct centre *c)
{
	sync_now(c->sync);
}

void
centre_look(struct centre *c)
{
	if (c == NULL)
		return;
	if (place_look(c->place))
		c->cfg.ops->news(c->cfg.arg);
	sync_look(c->sync);
}
