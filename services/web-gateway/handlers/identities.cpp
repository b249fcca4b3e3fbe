#include "handlers/identities.hpp"

#include "domain/way.hpp"
#include "handlers/session_start.hpp"
#include "handlers/ways.hpp"
#include "pages/pages.hpp"
#include "storage/identities.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

constexpr auto not_unlinked = say("Nothing was unlinked");
constexpr auto last_way =
    say("{way} is your last way in. Link another account or get a code first, then unlink this one.");

} // namespace

async::task<http::response> identities_page(gateway& g, http::request&, const visitor& who)
{
    auto body = [&](db::transaction& tx) { return identities_of(tx, who.user_id); };
    const auto linked = co_await g.db.transact(body);
    const auto on = ways_that_are_on(g);
    nlohmann::json data;
    data["ways"] = nlohmann::json::array();
    for (const auto w : all_ways) {
        const auto at = linked.find(w);
        if (at == linked.end() && on.count(w) == 0)
            continue;
        const values with{{"way", std::string(title_of(w))}};
        nlohmann::json one;
        one["way"] = name_of(w);
        one["title"] = title_of(w);
        one["linked"] = at != linked.end();
        one["shown"] = at != linked.end() ? at->second : std::string();
        one["link"] = g.pages.text(who.language, say("Link {way}"), with);
        one["unlink"] = g.pages.text(who.language, say("Unlink {way}"), with);
        data["ways"].push_back(std::move(one));
    }
    data["none"] = data["ways"].empty();
    co_return g.pages.show("identities", data, reader_of(who));
}

// A crash before COMMIT leaves it linked; after it the person sees the page when he comes again.
async::task<http::response> unlink_identity_form(gateway& g, http::request& request, const visitor& who)
{
    const auto w = way_named(request.path_parameters.at("way"));
    if (!w)
        co_return g.pages.problem(404, reader_of(who));
    const auto by = who.acting(request);
    const auto on = ways_that_are_on(g);
    auto body = [&](db::transaction& tx) {
        return unlink_identity(tx, by, who.user_id, *w, on, who.session_id);
    };
    const auto done = co_await g.db.transact(body);
    if (done == unlinking::last_way_in)
        co_return say_why(
            g, reader_of(who), 409, not_unlinked, last_way, "/profile/identities", title_of(*w));
    co_return http::response::redirect("/profile/identities");
}

} // namespace coursegate::web_gateway
