#include "config.hpp"

#include "domain/input.hpp"
#include "domain/refused.hpp"
#include "storage/audit_log.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <limits>

namespace coursegate::web_gateway {
namespace {

// Guessing it must not be an option.
constexpr std::size_t least_token_length = 16;

// Runs a check of domain/input.hpp on a setting and turns its refusal into a fault.
template <class Check>
void check(runtime::environment& env, const std::string& name, Check one)
{
    try {
        one();
    }
    catch (const refused& no) {
        env.fault(name + ": " + no.message());
    }
}

// Without it everybody behind a proxy has the proxy's address, and the limits on guessing would hold for all
// at once.
std::vector<std::string> read_proxies(runtime::environment& env)
{
    const auto setting = env.text("TRUSTED_PROXIES",
        "addresses of reverse proxies whose X-Forwarded-For is believed, comma separated", "");
    std::vector<std::string> out;
    if (setting.empty())
        return out;
    for (std::size_t at = 0; at <= setting.size();) {
        const auto comma = std::min(setting.find(',', at), setting.size());
        auto one = setting.substr(at, comma - at);
        at = comma + 1;
        one.erase(0, one.find_first_not_of(' '));
        one.erase(one.find_last_not_of(' ') + 1);
        boost::system::error_code no_address;
        const auto address = boost::asio::ip::make_address(one, no_address);
        if (no_address)
            env.fault("TRUSTED_PROXIES: '" + one + "' is not an IP address");
        else
            out.push_back(address.to_string()); // as the server writes a peer's
    }
    return out;
}

std::optional<course_settings> read_course(runtime::environment& env)
{
    course_settings out;
    out.id = env.integer("STEPIK_COURSE_ID", "a course to connect at start (Stepik's id); 0: none", 0,
        std::numeric_limits<std::int64_t>::max(), 0);
    const auto client_id = env.text("STEPIK_CLIENT_ID", "that course's Stepik application: client id", "");
    const auto client_secret =
        env.secret("STEPIK_CLIENT_SECRET", "that course's Stepik application: client secret", false);
    const auto api_key = env.secret("BOOMSTREAM_API_KEY", "that course's Boomstream project: API key", false);
    const auto subscription = env.text(
        "BOOMSTREAM_SUBSCRIPTION", "that course's Boomstream subscription for lessons that name none", "");

    if (out.id == 0) {
        if (!client_id.empty() || !client_secret.empty() || !api_key.empty() || !subscription.empty())
            env.fault(
                "STEPIK_COURSE_ID is missing: STEPIK_CLIENT_ID, STEPIK_CLIENT_SECRET, BOOMSTREAM_API_KEY and "
                "BOOMSTREAM_SUBSCRIPTION belong to a course");
        return std::nullopt;
    }
    if (client_id.empty())
        env.fault("STEPIK_CLIENT_ID is missing: the course of STEPIK_COURSE_ID can't be read without it");
    else
        check(env, "STEPIK_CLIENT_ID", [&] { out.stepik_client_id = checked_key(client_id, ""); });
    if (client_secret.empty())
        env.fault("STEPIK_CLIENT_SECRET is missing: the course of STEPIK_COURSE_ID can't be read without it");
    else
        check(env, "STEPIK_CLIENT_SECRET",
            [&] { out.stepik_client_secret = base::secret(checked_key(client_secret.expose(), "")); });
    if (!api_key.empty())
        check(env, "BOOMSTREAM_API_KEY",
            [&] { out.boomstream_api_key = std::optional(base::secret(checked_key(api_key.expose(), ""))); });
    if (!subscription.empty())
        check(env, "BOOMSTREAM_SUBSCRIPTION",
            [&] { out.default_subscription = std::optional(checked_subscription_code(subscription, "")); });
    return out;
}

// A way is there when its client id is; half of one is a fault.
std::optional<oidc_settings> read_provider(
    runtime::environment& env, const std::string& prefix, const std::string& whose, const std::string& issuer)
{
    oidc_settings out;
    out.client_id = env.text(prefix + "_CLIENT_ID", "sign-in by " + whose + ": client id; empty: off", "");
    out.client_secret =
        env.secret(prefix + "_CLIENT_SECRET", "sign-in by " + whose + ": client secret", false);
    out.issuer = env.url(prefix + "_ISSUER", "sign-in by " + whose + ": the OpenID Connect issuer", issuer);
    if (out.client_id.empty() != out.client_secret.empty())
        env.fault(prefix + "_CLIENT_ID and " + prefix + "_CLIENT_SECRET belong together: one is missing");
    if (out.client_id.empty())
        return std::nullopt;
    return out;
}

bool is_bot_username(const std::string& text)
{
    const auto fits = [](char c) {
        return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    return text.size() >= 5 && text.size() <= 32 && std::all_of(text.begin(), text.end(), fits);
}

way_settings read_ways(runtime::environment& env, const std::string& stepik_url)
{
    way_settings out;
    out.site = env.url("APP_URL", "public address of the site, where browsers come back to", "");
    out.google = read_provider(env, "GOOGLE", "Google", "https://accounts.google.com");
    if (out.google)
        out.google->scope = "openid email profile";
    out.telegram = read_provider(env, "TELEGRAM_LOGIN", "Telegram", "https://oauth.telegram.org");
    if (out.telegram) {
        out.telegram->scope = "openid profile";
        out.telegram->secret_in_header = true;
    }
    out.telegram_bot_token = env.secret("TELEGRAM_BOT_TOKEN",
        "token of the bot whose login widget, login_url buttons and Mini App sign people in", false);
    out.telegram_video_token = env.secret(
        "TELEGRAM_BOT_VIDEO_TOKEN", "token of a bot beside it whose people the Mini App lets in, too", false);
    out.telegram_bot_username = env.text(
        "TELEGRAM_BOT_USERNAME", "name of the bot that opens the Mini App, for links to it; empty: none", "");
    if (!out.telegram_bot_username.empty() && !is_bot_username(out.telegram_bot_username))
        env.fault("TELEGRAM_BOT_USERNAME: 5 to 32 letters, digits and '_', without '@'");
    out.telegram_web_url = env.url("TELEGRAM_WEB_URL",
        "where Telegram runs in a browser: it may show the Mini App in a frame", "https://web.telegram.org");
    stepik_login_settings stepik;
    stepik.client_id = env.text(
        "STEPIK_LOGIN_CLIENT_ID", "sign-in by Stepik: client id (grant authorization-code); empty: off", "");
    stepik.client_secret =
        env.secret("STEPIK_LOGIN_CLIENT_SECRET", "sign-in by Stepik: client secret", false);
    stepik.url = stepik_url;
    if (stepik.client_id.empty() != stepik.client_secret.empty())
        env.fault("STEPIK_LOGIN_CLIENT_ID and STEPIK_LOGIN_CLIENT_SECRET belong together: one is missing");
    if (!stepik.client_id.empty())
        out.stepik = stepik;
    if (out.site.empty() && (out.google || out.telegram || out.stepik))
        env.fault("APP_URL is missing: browsers that sign in elsewhere would not know where to come back to");
    return out;
}

} // namespace

config read_config(runtime::environment& env)
{
    config out;
    const std::string service(service_name);
    out.runtime = runtime::read_settings(env, service);
    out.database = runtime::read_database(env, service);
    out.broker = runtime::read_broker(env, service);
    out.secret_key = runtime::read_secret_key(env);
    out.host = out.runtime.admin_host;
    out.port = static_cast<int>(env.integer("PORT", "port of the HTTP API; 0: any free one", 0, 65535, 8080));
    out.trusted_proxies = read_proxies(env);
    out.admin_token = env.secret("ADMIN_API_TOKEN", "token of the admin API: Authorization: Bearer <token>");
    if (!out.admin_token.empty() && out.admin_token.expose().size() < least_token_length)
        env.fault(
            "ADMIN_API_TOKEN is too short: at least 16 characters, such as `openssl rand -hex 24` gives");
    out.environment_course = read_course(env);
    out.play_url =
        env.url("BOOMSTREAM_PLAY_URL", "where Boomstream's player is", "https://play.boomstream.com");
    out.stepik_url = env.url("STEPIK_URL", "address of Stepik", "https://stepik.org");
    out.boomstream_url = env.url("BOOMSTREAM_URL", "address of Boomstream", "https://boomstream.com");
    out.ways = read_ways(env, out.stepik_url);
    return out;
}

} // namespace coursegate::web_gateway
