#include "domain/init_data.hpp"

#include "target.hpp"

#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;

// What the Mini App brings: as it came, and signed (as far as it has no escapes) by whoever knows the token.
void fuzz(std::string_view bytes)
{
    static const std::vector<base::secret> bots{base::secret("1:other"), base::secret("123456:test-token")};
    const auto now = base::parse_iso8601("2026-01-02T12:00:00Z").value();
    try {
        checked_init_data(bytes, bots, now);
        must(false, "what nobody has signed is refused");
    }
    catch (const refused&) {
    }
    const std::string text(bytes);
    const auto key = base::hmac_sha256("WebAppData", bots[1].expose());
    const std::string fields = "auth_date=1767355200&user=" + base::percent_encode(text);
    const auto hash = base::to_hex(base::hmac_sha256(key, "auth_date=1767355200\nuser=" + text));
    try {
        must(checked_init_data(fields + "&hash=" + hash, bots, now).user == text,
            "who signs in is who was signed");
    }
    catch (const refused&) {
    }
}
