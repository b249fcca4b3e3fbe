#include "domain/form.hpp"

#include "target.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"

using namespace coursegate::web_gateway;

// application/x-www-form-urlencoded, and the checks of what people type.
void fuzz(std::string_view bytes)
{
    is_form_type(bytes);
    try {
        auto f = form::parse(bytes);
        must(is_utf8(f.text("a")), "a field is UTF-8");
        f.finish();
    }
    catch (const refused& no) {
        must(is_utf8(no.field()) && no.field().size() <= 400,
            "a refusal names a field in words that can be shown");
    }
    const auto checked = [&](auto check) {
        try {
            check();
        }
        catch (const refused&) {
        }
    };
    checked([&] { checked_email(bytes, "x"); });
    checked([&] { must(checked_boom_code(bytes, "x").size() == 9, "a code has nine digits"); });
    checked([&] { must(is_utf8(checked_line(bytes, "x", 100)), "a line is UTF-8"); });
    checked([&] { checked_key(bytes, "x"); });
    checked([&] { checked_uuid(bytes, "x"); });
    checked([&] { checked_time(bytes, "x"); });
    checked([&] { checked_number(bytes, "x", 0, 100); });
}
