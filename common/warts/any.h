/*
 * warts/any: room for a measurement of whatever type (common/warts/codec.h).
 */
#ifndef COMMON_WARTS_ANY_H
#define COMMON_WARTS_ANY_H

#include "common/warts/dealias.h"
#include "common/warts/host.h"
#include "common/warts/http.h"
#include "common/warts/neighbourdisc.h"
#include "common/warts/owamp.h"
#include "common/warts/sniff.h"
#include "common/warts/sting.h"
#include "common/warts/tbit.h"
#include "common/warts/tracelb.h"
#include "common/warts/udpprobe.h"
#include "common/warts/warts.h"

struct warts_any {
	union {
		struct warts_trace trace;
		struct warts_ping ping;
		struct warts_tracelb tracelb;
		struct warts_dealias dealias;
		struct warts_neighbourdisc neighbourdisc;
		struct warts_tbit tbit;
		struct warts_sting sting;
		struct warts_sniff sniff;
		struct warts_host host;
		struct warts_http http;
		struct warts_udpprobe udpprobe;
		struct warts_owamp owamp;
	} of;
};

#endif
