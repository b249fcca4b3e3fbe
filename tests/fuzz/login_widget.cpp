#include "domain/telegram_widget.hpp"

#include "target.hpp"

#include "domain/refused.hpp"

#include "coursegate/base/encoding.hpp"
#include "coursegate/http/message.hpp"

using namespace coursegate;
using namespace coursegate::web_gateway;

// The query of the Telegram login widget: as it came, and signed by whoever knows the token.
void fuzz(std::string_view bytes)
{
    static const base::secret token("123456:test-token");
    auto fields = http::query::parse(bytes).all();
    const auto now = base::parse_iso8601("2026-01-02T12:00:00Z").value();
    try {
        checked_widget(fields, token, now);
        must(false, "an unsigned sign-in is refused");
    }
    catch (const refused&) {
    }
    std::string signed_text;
    for (const auto& [name, value] : fields)
        signed_text += (signed_text.empty() ? "" : "\n") + name + "=" + value;
    fields.emplace_back("hash", base::to_hex(base::hmac_sha256(base::sha256(token.expose()), signed_text)));
    try {
        must(checked_widget(fields, token, now).telegram_id > 0, "who signs in has a number");
    }
    catch (const refused&) {
    }
}
