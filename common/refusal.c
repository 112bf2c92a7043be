#include "common/refusal.h"

#include <stddef.h>

static const char *const names[REFUSED_N] = {
    [REFUSED_DNP] = "do-not-probe",
    [REFUSED_NOROUTE] = "no-route",
    [REFUSED_EXIT] = "exit",
    [REFUSED_GONE] = "client-gone",
};

const char *
refusal_name(unsigned int why)
{
	return why < REFUSED_N ? names[why] : "other";
}
