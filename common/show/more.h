/*
 * show/more: text and JSON of the measurements beside trace and ping
 * (common/show/show.h has those and the contract of all).
 *
 * Each appends the whole of a record to OUT, as sc_warts2text and
 * sc_warts2json of CTX's generation print it.  TYPE.c has those of TYPE.
 *
 *	             text        JSON 2021   JSON 2026
 *	tracelb      yes         yes         yes
 *	dealias      ally only   yes         yes, but not of MIDAR
 *	tbit         yes         yes         yes
 *	sting        yes
 *	neighbourdisc, host, udpprobe, owamp yes
 *	http, sniff
 */
#ifndef COMMON_SHOW_MORE_H
#define COMMON_SHOW_MORE_H

#include "common/show/show.h"

/* RECORD is the struct of the type, its addresses resolved. */
typedef void show_print_fn(
    struct wbuf *out, const struct show_context *ctx, const void *record);

show_print_fn show_text_tracelb, show_json_tracelb;
show_print_fn show_text_dealias, show_json_dealias;
show_print_fn show_text_tbit, show_json_tbit;
show_print_fn show_text_sting;
show_print_fn show_json_neighbourdisc;
show_print_fn show_json_host;
show_print_fn show_json_udpprobe;
show_print_fn show_json_owamp;

#endif
