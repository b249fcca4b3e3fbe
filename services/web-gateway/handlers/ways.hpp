// Signing in by Google, Telegram and Stepik: sending a browser there, and what happens when it comes back.
// The same round trip links such an account to somebody who is signed in. Each way is there when its settings
// are, and its addresses are 404 otherwise.
#pragma once

#include "clients/oidc.hpp"
#include "clients/stepik_login.hpp"
#include "domain/way.hpp"
#include "handlers/visitor.hpp"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

// What the environment says about them.
struct way_settings
{
    std::string site; // APP_URL: where browsers come back to; without a trailing slash
    std::optional<oidc_settings> google{};
    std::optional<oidc_settings> telegram{};
    std::optional<stepik_login_settings> stepik{};
    base::secret telegram_bot_token; // of the bot whose legacy widget and login_url buttons are believed
    // The Mini App is there for the people of the bot above and of this one; nothing: there is none.
    base::secret telegram_video_token{};
    std::string telegram_bot_username{};                       // where to open it; empty: nobody says
    std::string telegram_web_url = "https://web.telegram.org"; // who may show it in a frame
};

struct sign_in_ways
{
    sign_in_ways(http::client& web, const way_settings& s);

    std::string site;
    std::unique_ptr<oidc_client> google;
    std::unique_ptr<oidc_client> telegram;
    std::unique_ptr<stepik_login> stepik;
    base::secret telegram_bot_token;
    std::vector<base::secret> app_bot_tokens; // whose initData is believed
    std::string telegram_bot_username;
    std::string telegram_web; // an origin

    std::string callback_of(way w) const; // the redirect URI to register there
};

bool has_mini_app(const gateway& g);

// Those that a browser can be sent to.
std::set<way> ways_that_are_on(const gateway& g);

// For ways.part.html on a page of somebody who is not signed in: [{"address", "label"}].
nlohmann::json ways_for_page(const gateway& g, const std::string& language, const std::string& next);

// Open to anybody: /login/<way>, /login/<way>/callback.
async::task<http::response> start_way_page(gateway& g, http::request& request);
async::task<http::response> way_callback_page(gateway& g, http::request& request);

// For visitors: sends the browser away to prove that he is somebody there, too. {way} in the path.
async::task<http::response> link_identity_form(gateway& g, http::request& request, const visitor& who);

} // namespace coursegate::web_gateway
