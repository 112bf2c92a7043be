/*
 * tls: pins and peers files by tables; keys on disk; and a pair of channels
 * over a handshake: the contract of chan is the same as without.
 */
#include "tests/unit/chan_user.h"

#include <sys/stat.h>

#include "common/clock.h"
#include "common/tls.h"

#define B64 "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static char dir[] = "/tmp/unit-tls-XXXXXX";

static const char *
path(const char *name)
{
	static char buf[2][200];
	static int i;

	i = !i;
	snprintf(buf[i], sizeof(buf[i]), "%s/%s", dir, name);
	return buf[i];
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path(name), mode), 0);
}

static void
pins(void **state)
{
	static const struct {
		const char *in;
		int ok;
	} rows[] = {
	    {"sha256:" B64, 1},
	    {"sha256:" HEX, 1},
	    {"", 0},
	    {B64, 0},
	    {"sha256:", 0},
	    {"SHA256:" B64, 0},
	    {"sha1:" B64, 0},
	    {" sha256:" B64, 0},
	    {"sha256:" B64 " ", 0},
	    {"sha256:" B64 "x", 0},
	    {"sha256:" HEX "0", 0},
	    {"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", 0},
	    {"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=", 0},
	    {"sha256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSu===", 0},
	    {"sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU=", 0},
	    {"sha256:\n\n\n\nQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", 0},
	    {"sha256:x3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b"
	     "7852b855",
		0},
	};
	char buf[TLS_PIN_STRLEN];
	struct tls_pin pin;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		memset(&pin, 7, sizeof(pin));
		assert_int_equal(
		    tls_pin_scan(rows[i].in, &pin) == NULL, rows[i].ok);
		if (rows[i].ok)
			assert_string_equal(
			    tls_pin_str(&pin, buf), "sha256:" B64);
		else
			assert_int_equal(pin.sha[31], 7);
	}
}

static void
peers(void **state)
{
	static const struct {
		const char *name, *text;
		int count; /* -1: refused */
	} rows[] = {
	    {"empty", "", 0},
	    {"comment", "# nobody\n\n", 0},
	    {"one", "peer lhr pin=sha256:" B64 "  # a comment\n", 1},
	    {"two",
		"peer a pin=sha256:" B64 "\npeer b pin=sha256:"
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		2},
	    {"a name twice",
		"peer a pin=sha256:" B64 "\npeer a pin=sha256:"
		"00000000000000000000000000000000"
		"00000000000000000000000000000000",
		-1},
	    {"a pin twice", "peer a pin=sha256:" B64 "\npeer b pin=sha256:" HEX,
		-1},
	    {"no pin", "peer a\n", -1},
	    {"bad pin", "peer a pin=sha256:abc\n", -1},
	    {"path", "peer ../a pin=sha256:" B64 "\n", -1},
	    {"other key", "friend a pin=sha256:" B64 "\n", -1},
	    {"junk", "peer a pin=sha256:" B64 " x\n", -1},
	};
	struct tls_peers p = {NULL, 0};
	struct tls_pin pin;
	size_t before;

	(void)state;
	assert_null(tls_pin_scan("sha256:" B64, &pin));
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		before = p.count;
		write_file("peers", rows[i].text, 0644);
		assert_int_equal(
		    tls_peers_load(&p, path("peers")) == 0, rows[i].count >= 0);
		assert_int_equal(p.count,
		    rows[i].count >= 0 ? (size_t)rows[i].count : before);
		assert_int_equal(tls_peers_find(&p, &pin) != NULL, p.count > 0);
	}
	assert_int_equal(tls_peers_load(&p, path("none")), -1);
	tls_peers_clear(&p);
	assert_null(tls_peers_find(&p, &pin));
}

static void
keys(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0610, 0666};
	const char *why = NULL;
	struct tls *a, *b;

	(void)state;
	a = tls_new(path("a.key"), &why);
	b = tls_new(path("b.key"), &why);
	assert_non_null(a);
	assert_non_null(b);
	assert_false(tls_pin_equal(tls_own_pin(a), tls_own_pin(b)));
	tls_free(b);
	/* Once more is the same key. */
	assert_int_equal(tls_make_key(path("a.key")), 0);
	b = tls_new(path("a.key"), &why);
	assert_true(tls_pin_equal(tls_own_pin(a), tls_own_pin(b)));
	tls_free(a);
	tls_free(b);
	for (size_t i = 0; i < LEN(modes); i++) {
		assert_int_equal(chmod(path("a.key"), modes[i]), 0);
		assert_null(tls_new(path("a.key"), &why));
		assert_non_null(strstr(why, "can be read by others"));
	}
	assert_int_equal(chmod(path("a.key"), 0600), 0);
	write_file("junk", "junk", 0600);
	assert_null(tls_new(path("junk"), &why));
	assert_non_null(strstr(why, "Ed25519"));
	assert_null(tls_new(path("none"), &why));
	assert_null(tls_new(dir, &why));
	tls_free(NULL);
}

/* --- a pair over a handshake ------------------------------------------------ */

struct side {
	struct tls *tls;
	int fd;
	struct tls_conn *conn;
	char why[100];
	int done;
};

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct side *s = arg;

	assert_int_equal(s->done++, 0);
	s->fd = fd;
	s->conn = conn;
	snprintf(s->why, sizeof(s->why), "%s", why == NULL ? "" : why);
}

static struct tls_shake *
begin(struct side *s, int fd, int accept, int64_t deadline_ns)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return tls_shake_new(&(struct tls_shake_config){.base = base,
	    .tls = s->tls,
	    .fd = fd,
	    .accept = accept,
	    .deadline_ns = deadline_ns,
	    .done = on_shaken,
	    .arg = s});
}

static void
load(struct side *s, const char *key)
{
	const char *why;

	memset(s, 0, sizeof(*s));
	s->tls = tls_new(path(key), &why);
	assert_non_null(s->tls);
}

static void
shake_pair(struct side *a, struct side *b)
{
	int fds[2];

	load(a, "a.key");
	load(b, "b.key");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	begin(a, fds[0], 1, 5 * NS_PER_SEC);
	begin(b, fds[1], 0, 5 * NS_PER_SEC);
	for (int i = 0; i < 100 && !(a->done && b->done); i++)
		turn();
	assert_non_null(a->conn);
	assert_non_null(b->conn);
}

static struct chan *
over(struct side *s, struct user *u)
{
	memset(u, 0, sizeof(*u));
	u->c =
	    chan_new_io(base, &(struct chan_config){s->fd, s->fd, 16, "peer"},
		&s->conn->io, &ops, u);
	return u->c;
}

static void
each_learns_the_key_of_the_other(void **state)
{
	struct side a, b;
	struct user u, v;

	(void)state;
	shake_pair(&a, &b);
	assert_true(a.conn->has_pin && b.conn->has_pin);
	assert_true(tls_pin_equal(&a.conn->pin, tls_own_pin(b.tls)));
	assert_true(tls_pin_equal(&b.conn->pin, tls_own_pin(a.tls)));
	chan_printf(over(&a, &u), "from a");
	chan_printf(over(&b, &v), "from b");
	for (int i = 0; i < 20; i++)
		turn();
	assert_string_equal(u.seen, "drained() line(from b) ");
	assert_non_null(strstr(v.seen, "line(from a) "));
	chan_finish(u.c);
	for (int i = 0; i < 20; i++)
		turn();
	assert_non_null(strstr(u.seen, "closed(done) "));
	chan_free(u.c);
	for (int i = 0; i < 20; i++)
		turn();
	assert_non_null(strstr(v.seen, "closed(closed by peer) "));
	chan_free(v.c);
	tls_free(a.tls);
	tls_free(b.tls);
}

/* 8 MiB to a reader that pauses: it gets all of it, but not before it wants. */
static void
bulk_with_back_pressure(void **state)
{
	static char piece[1 << 16];
	struct side a, b;
	struct user u, v;
	size_t sent = 0, all = 8u << 20;

	(void)state;
	shake_pair(&a, &b);
	over(&a, &u);
	over(&b, &v);
	chan_printf(u.c, "body %zu", all);
	while (sent < all) {
		chan_write(u.c, piece, sizeof(piece));
		sent += sizeof(piece);
	}
	v.pause_at = 1;
	for (int i = 0; i < 100; i++)
		turn();
	assert_int_equal(v.body, 0);
	/* What the sender has got rid of is no more than buffers hold. */
	assert_true(chan_pending(u.c) > all - (2u << 20));
	chan_resume(v.c);
	for (int i = 0; i < 10000 && v.body < all; i++)
		turn();
	assert_int_equal(v.body, all);
	assert_int_equal(chan_pending(u.c), 0);
	/* Gone without a word of goodbye: that is told. */
	shutdown(a.fd, SHUT_RDWR);
	for (int i = 0; i < 20; i++)
		turn();
	assert_non_null(strstr(v.seen, "closed(cut off by peer) "));
	chan_free(u.c);
	chan_free(v.c);
	tls_free(a.tls);
	tls_free(b.tls);
}

/* What a stranger may say instead of a handshake. */
static void
no_handshake(void **state)
{
	static const struct {
		const char *say, *why, *answer;
		int half; /* it says no more */
	} rows[] = {
	    {"hello\n", "does not speak TLS", "err tls ", 0},
	    {"\x16", "cut off by peer", "", 1},
	    {"\x16\x03\x01\x01", "cut off by peer", "", 1},
	    {"", "closed by peer before the handshake", "", 1},
	    {"\x16\x03\x01\x01", "handshake not finished in time", "", 0},
	    {"", "handshake not finished in time", "", 0},
	};
	char got[200];
	struct side a;
	int fds[2];
	ssize_t n;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].why);
		load(&a, "a.key");
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
		begin(&a, fds[0], 1, 50 * NS_PER_MS);
		say(fds[1], rows[i].say);
		if (rows[i].half)
			shutdown(fds[1], SHUT_WR);
		while (!a.done)
			event_base_loop(base, EVLOOP_ONCE);
		assert_null(a.conn);
		assert_string_equal(a.why, rows[i].why);
		n = recv(fds[1], got, sizeof(got), 0);
		assert_true(n >= (ssize_t)strlen(rows[i].answer));
		assert_memory_equal(
		    got, rows[i].answer, strlen(rows[i].answer));
		close(fds[1]);
		tls_free(a.tls);
	}
	/* Given up. */
	load(&a, "a.key");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	tls_shake_free(begin(&a, fds[0], 1, NS_PER_SEC));
	tls_shake_free(NULL);
	turn();
	assert_int_equal(a.done, 0);
	assert_int_equal(recv(fds[1], got, 1, 0), 0);
	close(fds[1]);
	tls_free(a.tls);
}

static int
make_keys(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL || tls_make_key(path("a.key")) != 0 ||
	    tls_make_key(path("b.key")) != 0;
}

static int
remove_keys(void **state)
{
	static const char *const names[] = {"a.key", "b.key", "junk", "peers"};

	(void)state;
	for (size_t i = 0; i < LEN(names); i++)
		unlink(path(names[i]));
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pins),
	    cmocka_unit_test(peers),
	    cmocka_unit_test(keys),
	    with_base(each_learns_the_key_of_the_other),
	    with_base(bulk_with_back_pressure),
	    with_base(no_handshake),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
