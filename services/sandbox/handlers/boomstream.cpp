#include "handlers/boomstream.hpp"

#include "coursegate/base/secret.hpp"
#include "domain/moscow_time.hpp"
#include "domain/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <map>

namespace coursegate::sandbox {

using json = nlohmann::ordered_json;

namespace {

std::string lower(std::string_view text)
{
    std::string out(text);
    std::ranges::transform(
        out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return out;
}

void append_escaped(std::string& out, std::string_view text)
{
    for (const char c : text) {
        switch (c) {
        case '&':
            out += "&amp;";
            break;
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    }
}

// Lists become <Item> elements, empty values self-closing tags.
void append_xml(std::string& out, const std::string& name, const json& value)
{
    const bool empty = value.is_null() ||
                       (value.is_string() && value.get_ref<const std::string&>().empty()) ||
                       (value.is_structured() && value.empty());
    if (empty) {
        out += "<" + name + "/>";
        return;
    }
    out += "<" + name + ">";
    if (value.is_array()) {
        for (const auto& item : value)
            append_xml(out, "Item", item);
    }
    else if (value.is_object()) {
        for (const auto& [key, item] : value.items())
            append_xml(out, key, item);
    }
    else if (value.is_string()) {
        append_escaped(out, value.get_ref<const std::string&>());
    }
    else {
        out += value.dump();
    }
    out += "</" + name + ">";
}

void numbers_to_strings(json& value)
{
    if (value.is_structured())
        for (auto& item : value)
            numbers_to_strings(item);
    else if (value.is_number())
        value = value.dump();
}

std::string html_escaped(std::string_view text)
{
    std::string out;
    append_escaped(out, text);
    return out;
}

// The parameters of one call, wherever they came from, and how it wants its answer.
struct parameters
{
    std::map<std::string, std::vector<std::string>> values;
    bool is_post = false;
    bool wants_json = false;
    std::string version = "1.0";
    std::string request_uri;

    std::string text(const std::string& name) const
    {
        const auto at = values.find(name);
        return at == values.end() || at->second.empty() ? std::string() : at->second.front();
    }
    std::optional<std::string> optional(const std::string& name) const
    {
        auto out = text(name);
        return out.empty() ? std::nullopt : std::optional(std::move(out));
    }
    std::vector<std::string> list(const std::string& name) const
    {
        const auto at = values.find(name);
        return at == values.end() ? std::vector<std::string>{} : at->second;
    }
};

std::string scalar(const json& value)
{
    if (value.is_string())
        return value.get<std::string>();
    if (value.is_boolean())
        return value.get<bool>() ? "1" : "0";
    return value.is_null() ? std::string() : value.dump();
}

// nullopt: the body of a POST is not a JSON object.
std::optional<parameters> read(const http::request& r)
{
    parameters out;
    out.is_post = r.method == "POST";
    const auto add = [&](std::string name, std::string value) {
        if (name.ends_with("[]"))
            name.resize(name.size() - 2);
        out.values[std::move(name)].push_back(std::move(value));
    };
    for (const auto& [name, value] : r.query.all())
        add(name, value);
    if (out.is_post) {
        const auto body = json::parse(r.body, nullptr, false);
        if (!body.is_object())
            return std::nullopt;
        for (const auto& [name, value] : body.items()) {
            out.values.erase(name);
            if (value.is_array())
                for (const auto& item : value)
                    add(name, scalar(item));
            else
                add(name, scalar(value));
        }
    }
    out.wants_json = out.is_post || out.text("format") == "json";
    if (const auto version = out.text("ver"); version == "1.1" || version == "1.2")
        out.version = version;
    out.request_uri = r.target;
    return out;
}

struct failure
{
    std::string message;
};

} // namespace

struct boomstream_api::impl
{
    explicit impl(world& the_world) : w(the_world) {}

    // Answers
    // -------------------------------------------------------------------------------------------------

    // The three shapes a list is known to come in. XML has one.
    json shaped(json list)
    {
        const auto& knob = w.settings.list_shape;
        const int shape = knob == "item_list"     ? 1
                          : knob == "item_object" ? 2
                          : knob == "rotating"    ? rotation++ % 3
                                                  : 0;
        if (shape == 0)
            return list;
        if (shape == 2 && list.size() == 1)
            return json{{"Item", list.front()}};
        return json{{"Item", std::move(list)}};
    }

    http::response finish(const parameters& p, json body, bool failed)
    {
        if (p.wants_json)
            for (const auto* name : {"Items", "Medias"})
                if (body.contains(name) && body[name].is_array())
                    body[name] = shaped(std::move(body[name]));
        if (!failed && !(w.settings.omit_status && p.wants_json))
            body["Status"] = "Success";
        body["Version"] = p.version;
        if (p.version != "1.1") {
            body["Versions"] = json::array({
                json{{"version", "1.0"}, {"description", "Default version"}},
                json{{"version", "1.1"}, {"description", "Changes in ppv/listBuyers"}},
                json{{"version", "1.2"}, {"description", "Changes in ppv/listMedia, ppv/addMedia"}},
            });
            body["RequestURI"] =
                p.request_uri; // with the key in it when that was in the query, as the real one does
        }
        if (w.settings.numbers == "strings")
            numbers_to_strings(body);
        if (p.wants_json)
            return http::response::text(200, body.dump(-1, ' ', false, json::error_handler_t::replace),
                "application/json; charset=utf-8");
        std::string xml = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n";
        append_xml(xml, "Response", body);
        return http::response::text(200, std::move(xml), "text/xml; charset=utf-8");
    }

    http::response failed(const parameters& p, const std::string& message, answering& about)
    {
        about.failed = true;
        return finish(p, json{{"Status", "Failed"}, {"Message", message}}, true);
    }

    static std::string required(const parameters& p, const std::string& name)
    {
        auto out = p.text(name);
        if (out.empty())
            throw failure{"Missing required parameter: " + name};
        return out;
    }

    static std::string message_of(const base::error& e)
    {
        const auto text = e.code.message();
        return e.code == ppv_errc::bad_value ? text + ": " + e.detail : text;
    }

    static std::optional<int> whole_number(const parameters& p, const std::string& name)
    {
        const auto text = p.optional(name);
        if (!text)
            return std::nullopt;
        const auto value = to_integer(*text);
        if (!value || *value < 0 || *value > 1'000'000)
            throw failure{"Invalid parameter value: " + name};
        return static_cast<int>(*value);
    }

    // Printing
    // ------------------------------------------------------------------------------------------------

    static int days_left(const buyer& b)
    {
        if (!b.expires_at)
            return 0;
        return static_cast<int>(std::chrono::ceil<std::chrono::days>(*b.expires_at - b.bought_at).count());
    }

    // addbuyer's and updatebuyer's answer: Period and Recovery are numbers there.
    // XML has them deeper than the root.
    static json one_buyer(const buyer& b, const std::string& message, const parameters& p)
    {
        json out{{"Hash", b.hash}, {"Email", b.email}, {"Period", days_left(b)}, {"Recovery", b.recovery},
            {"DatePurchase", to_moscow(b.bought_at)}, {"AccessExpirationDate", to_moscow(b.expires_at)}};
        if (!p.wants_json)
            out = json{{"Items", json{{"Item", std::move(out)}}}};
        out["Message"] = message;
        return out;
    }

    // A row of listbuyers: everything is text, much of it may be empty.
    static json listed_buyer(const buyer& b, const std::string& version)
    {
        json out{{"Email", b.email}, {"Phone", ""}, {"Hash", b.hash},
            {"Period", b.expires_at ? std::to_string(days_left(b)) : ""},
            {"AccessExpirationDate", to_moscow(b.expires_at)},
            {"AccessStartDate", b.starts_at ? to_moscow(b.starts_at) : ""},
            {"Recovery", std::to_string(b.recovery)}, {"DatePurchase", to_moscow(b.bought_at)},
            {"IsManual", "1"}};
        if (version != "1.0")
            out["Name"] = b.name;
        return out;
    }

    static json poster(const std::string& code)
    {
        return json{{"Code", "P" + code.substr(1)}, {"Width", "1280"}, {"Height", "720"},
            {"Url", "https://cdn.boomstream.example/" + code + "/poster.jpg"}};
    }

    static std::string player_code(const std::string& code)
    {
        return "<iframe width=\"640\" height=\"360\" src=\"https://play.boomstream.com/" + code +
               "\" frameborder=\"0\" scrolling=\"no\" allowfullscreen></iframe>";
    }

    // ppv/listmedia before and from 1.2. What 1.2 changed is not recorded; here it leaves out the live
    // fields.
    static json subscribed_medium(const medium& m, const std::string& version)
    {
        json out{{"Title", m.title}, {"Code", m.code}};
        if (version != "1.2") {
            out["PublishKey"] = "";
            out["OnlineStatus"] = "";
            out["RecordStatus"] = "";
            out["Concurrent"] = "0";
        }
        out["CreationDate"] = to_moscow(m.created_at);
        out["Type"] = "video";
        out["Width"] = "1920";
        out["Height"] = "1080";
        out["MediaStatus"] = "Done";
        out["Duration"] = m.seconds;
        out["DurationMillisecond"] = std::to_string(m.seconds * 1000);
        out["PlayerCode"] = player_code(m.code);
        out["DownloadLink"] = "";
        out["Poster"] = poster(m.code);
        out["Transcodes"] = "";
        out["Adaptive"] = "1";
        return out;
    }

    static json described_medium(const medium& m)
    {
        return json{{"Code", m.code}, {"Title", m.title}, {"Type", "video"}, {"Width", "1920"},
            {"Height", "1080"}, {"FileSize", std::to_string(m.seconds * 250'000LL)},
            {"FileName", m.code + ".mp4"}, {"MediaStatus", "Done"}, {"Duration", m.seconds},
            {"Description", ""}, {"CreatedAt", to_moscow(m.created_at)},
            {"PlayerLink", "https://play.boomstream.com/" + m.code}, {"PlayerCode", player_code(m.code)},
            {"Poster", poster(m.code)}, {"Timeline", json{{"PreviewsVtt", ""}}}};
    }

    static json described_subscription(const subscription& s)
    {
        return json{{"Code", s.code}, {"Name", s.name},
            {"Type", s.kind == subscription_kind::group ? "group" : "single"}, {"SubscriptionType", s.type},
            {"Period", s.period_days ? std::to_string(*s.period_days) : ""},
            {"AccessExpirationDate", to_moscow(s.expires_at)}, {"Activation", std::to_string(s.activation)},
            {"AmountMedia", std::to_string(s.media.size())}};
    }

    // ppv
    // -----------------------------------------------------------------------------------------------------

    static buyer_request asked_buyer(const parameters& p)
    {
        buyer_request out;
        out.subscription = required(p, "code");
        out.media = p.text("media");
        out.email = p.text("email");
        out.name = p.text("name");
        out.hash = without_hyphens(p.text("hash"));
        out.access_expire = p.optional("access_expire");
        out.activation = whole_number(p, "activation");
        out.notify = p.text("notification") == "1";
        return out;
    }

    json add_buyer(project& of, const parameters& p, answering& about)
    {
        const auto asked = asked_buyer(p);
        required(p, "media");
        required(p, "email");
        const auto done = of.add_buyer(asked, w.now(), w.random, !w.settings.duplicate_buyers);
        if (!done)
            throw failure{message_of(done.error())};
        about.detail = asked.subscription + (done->is_new ? " + " : " = ") + asked.email;
        return one_buyer(*done->buyer, done->is_new ? "Buyer added" : "Buyer updated", p);
    }

    json update_buyer(project& of, const parameters& p, answering& about)
    {
        const auto asked = asked_buyer(p);
        required(p, "hash");
        const auto done = of.update_buyer(asked, w.now());
        if (!done)
            throw failure{message_of(done.error())};
        about.detail = asked.subscription + " ~ " + (*done)->email;
        return one_buyer(**done, "Buyer updated", p);
    }

    json delete_buyer(project& of, const parameters& p, answering& about)
    {
        const auto code = required(p, "code");
        const auto done = of.delete_buyer(code, without_hyphens(required(p, "hash")), w.now());
        if (!done)
            throw failure{message_of(done.error())};
        about.detail = code + " -";
        return json{{"Message", "Buyer deleted"}};
    }

    const subscription& wanted(const project& of, const parameters& p) const
    {
        const auto* const s = of.find_subscription(required(p, "code"));
        if (s == nullptr)
            throw failure{make_error_code(ppv_errc::unknown_subscription).message()};
        return *s;
    }

    json list_buyers(project& of, const parameters& p, answering& about)
    {
        const auto& s = wanted(of, p);
        auto items = json::array();
        for (const auto& b : s.buyers)
            for (int n = w.settings.repeat_listed_buyers ? 2 : 1; b.live && n > 0; --n)
                items.push_back(listed_buyer(b, p.version));
        about.detail = s.code + ", " + std::to_string(items.size()) + " buyers";
        return json{{"Items", std::move(items)}};
    }

    json info(project& of, const parameters& p, answering&)
    {
        const auto& s = wanted(of, p);
        auto item = described_subscription(s);
        return json{{"Items", json{{"Item", std::move(item)}}}}; // this one shape is recorded
    }

    json list(project& of, const parameters&, answering&)
    {
        auto items = json::array();
        for (const auto& s : of.subscriptions())
            items.push_back(described_subscription(s));
        return json{{"Items", std::move(items)}};
    }

    json list_media(project& of, const parameters& p, answering&)
    {
        const auto& s = wanted(of, p);
        auto items = json::array();
        for (const auto& code : s.media)
            if (const auto* const m = of.find_medium(code))
                items.push_back(subscribed_medium(*m, p.version));
        return json{{"Medias", std::move(items)}};
    }

    json add_media(project& of, const parameters& p, answering&)
    {
        const auto code = required(p, "code");
        required(p, "media");
        auto items = json::array();
        for (const auto& media : p.list("media")) {
            const auto done = of.attach(code, media);
            if (!done)
                throw failure{message_of(done.error())};
            items.push_back(json{{"Code", media}});
        }
        if (p.version == "1.2")
            return json{{"Message", "Media added"}, {"Medias", std::move(items)}};
        return json{{"Message", "Media added"}};
    }

    json delete_media(project& of, const parameters& p, answering&)
    {
        const auto done = of.detach(required(p, "code"), required(p, "media"));
        if (!done)
            throw failure{message_of(done.error())};
        return json{{"Message", "Media deleted"}};
    }

    void read_subscription(subscription& s, const parameters& p)
    {
        if (const auto name = p.optional("name"))
            s.name = *name;
        if (const auto type = p.optional("subscription_type")) {
            if (*type != "subscription" && *type != "password" && *type != "collection")
                throw failure{"Invalid parameter value: subscription_type"};
            s.type = *type;
        }
        if (const auto kind = p.optional("type")) {
            if (*kind != "single" && *kind != "group")
                throw failure{"Invalid parameter value: type"};
            s.kind = *kind == "group" ? subscription_kind::group : subscription_kind::single;
        }
        if (const auto period = whole_number(p, "period"))
            s.period_days = *period;
        if (const auto activation = whole_number(p, "activation"))
            s.activation = *activation;
        const auto time = [&](const char* name, std::string_view time_of_day,
                              std::optional<base::time_point>& out) {
            const auto text = p.optional(name);
            if (!text)
                return;
            const auto asked = parse_moscow(*text, time_of_day);
            if (!asked)
                throw failure{std::string("Invalid parameter value: ") + name};
            out = *asked;
        };
        time("access_expire", "23:59:59", s.expires_at);
        time("access_start", "00:00:01", s.starts_at);
    }

    json create(project& of, const parameters& p, answering& about)
    {
        subscription s;
        s.name = required(p, "name");
        required(p, "subscription_type");
        if (p.text("period").empty() && p.text("access_expire").empty())
            throw failure{"Missing required parameter: period"};
        read_subscription(s, p);
        do
            s.code = make_code('B', static_cast<std::int64_t>(w.random.next() % 9'000'000) + 1'000'000, 0);
        while (of.find_subscription(s.code) != nullptr);
        s.created_at = w.now();
        about.detail = s.code;
        const auto code = s.code;
        of.add_subscription(std::move(s));
        return json{{"Code", code}, {"Message", "Subscription created"}};
    }

    json update(project& of, const parameters& p, answering&)
    {
        subscription s = wanted(of, p); // without its buyers: add_subscription keeps those that are there
        read_subscription(s, p);
        of.add_subscription(std::move(s));
        return json{{"Message", "Subscription updated"}};
    }

    json remove(project& of, const parameters& p, answering&)
    {
        const auto done = of.remove_subscription(required(p, "code"));
        if (!done)
            throw failure{message_of(done.error())};
        return json{{"Message", "Subscription deleted"}};
    }

    // media
    // ---------------------------------------------------------------------------------------------------

    json media_info(project& of, const parameters& p, answering&)
    {
        const auto* const m = of.find_medium(required(p, "code"));
        if (m == nullptr)
            throw failure{make_error_code(ppv_errc::unknown_media).message()};
        return described_medium(*m);
    }

    json media_bulkinfo(project& of, const parameters& p, answering& about)
    {
        required(p, "code");
        auto items = json::array();
        for (const auto& code : p.list("code"))
            if (const auto* const m = of.find_medium(code))
                items.push_back(described_medium(*m));
        about.detail = std::to_string(items.size()) + " videos";
        return json{{"Medias", std::move(items)}};
    }

    // -----------------------------------------------------------------------------------------------------------

    http::response call(const http::request& r, answering& about)
    {
        const auto p = read(r);
        if (!p) {
            parameters none;
            none.is_post = none.wants_json = true;
            none.request_uri = r.target;
            return failed(none, "Invalid JSON", about);
        }
        auto key = p->text("apikey");
        const auto header = r.headers.get("Authorization").value_or("");
        if (key.empty() && header.starts_with("Bearer "))
            key = header.substr(7);
        if (key.empty())
            return failed(*p, "Unauthorized", about);
        auto* const of = w.find_project(key);
        if (of == nullptr || !w.settings.api_key_ok)
            return failed(*p, p->is_post ? "Invalid API key" : "Application not found", about);

        using method = json (impl::*)(project&, const parameters&, answering&);
        static const std::map<std::string, method, std::less<>> methods{
            {"ppv/create", &impl::create},
            {"ppv/update", &impl::update},
            {"ppv/delete", &impl::remove},
            {"ppv/list", &impl::list},
            {"ppv/info", &impl::info},
            {"ppv/addmedia", &impl::add_media},
            {"ppv/deletemedia", &impl::delete_media},
            {"ppv/listmedia", &impl::list_media},
            {"ppv/addbuyer", &impl::add_buyer},
            {"ppv/updatebuyer", &impl::update_buyer},
            {"ppv/deletebuyer", &impl::delete_buyer},
            {"ppv/listbuyers", &impl::list_buyers},
            {"media/info", &impl::media_info},
            {"media/bulkinfo", &impl::media_bulkinfo},
        };
        const auto part = [&](const char* name) {
            const auto at = r.path_parameters.find(name);
            return at == r.path_parameters.end() ? std::string() : lower(at->second);
        };
        const auto found = methods.find(part("object") + "/" + part("item"));
        if (found == methods.end())
            return failed(*p, "Method not found", about);
        try {
            return finish(*p, (this->*found->second)(*of, *p, about), false);
        }
        catch (const failure& f) {
            return failed(*p, f.message, about);
        }
    }

    // Player
    // --------------------------------------------------------------------------------------------------

    struct screening
    {
        const medium* video = nullptr;
        watch state = watch::no_code;
    };

    screening screen(const std::string& code, const http::request& r, bool spend)
    {
        auto* const of = w.project_with_medium(code);
        if (of == nullptr)
            return {};
        // The real player knows devices by its own cookie; here browser and address stand for one.
        const auto device = r.headers.get("X-Device")
                                .value_or(r.headers.get("User-Agent").value_or("") + "|" + r.remote_address);
        return {of->find_medium(code),
            of->try_watch(code, r.query.get("id_recovery").value_or(""), device, w.now(), spend)};
    }

    static std::string code_of(const http::request& r)
    {
        const auto at = r.path_parameters.find("code");
        return at == r.path_parameters.end() ? r.query.get("code").value_or("") : at->second;
    }

    http::response player(const http::request& r, answering& about)
    {
        const auto code = code_of(r);
        const auto s = screen(code, r, true);
        if (s.video == nullptr)
            return page(404, "Видео не найдено", "<p>Такого видео нет.</p>", "unknown", code);
        about.detail = code + " " + std::string(to_string(s.state));
        if (s.state == watch::plays)
            return page(200, s.video->title,
                "<button id=\"play\" type=\"button\">▶ Смотреть</button><p id=\"time\" role=\"status\"></p>",
                "plays", code);
        return page(200, "Доступ ограничен",
            "<p>Введите код доступа, чтобы смотреть «" + html_escaped(s.video->title) +
                "».</p><form><label>Код <input name=\"id_recovery\" inputmode=\"numeric\" "
                "autocomplete=\"off\"></label> "
                "<button>Открыть</button></form>",
            to_string(s.state), code);
    }

    static http::response page(int status, const std::string& title, const std::string& content,
        std::string_view state, const std::string& code)
    {
        auto out = http::response::html(
            status, "<!doctype html>\n<html lang=\"ru\"><head><meta charset=\"utf-8\">"
                    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>" +
                        html_escaped(title) +
                        "</title><link rel=\"icon\" href=\"/page/icon.svg\"><link rel=\"stylesheet\" "
                        "href=\"/page/player.css\">"
                        "<script type=\"module\" src=\"/page/player.js\"></script></head>"
                        "<body data-state=\"" +
                        std::string(state) + "\" data-code=\"" + html_escaped(code) + "\"><main><h1>" +
                        html_escaped(title) + "</h1>" + content + "</main></body></html>\n");
        out.headers.set("Content-Security-Policy", "default-src 'self'"); // and may be framed by anybody
        out.headers.set("Cache-Control", "no-store");
        return out;
    }

    http::response config(const http::request& r, answering& about)
    {
        const auto code = code_of(r);
        const auto s = screen(code, r, w.settings.config_spends_activation);
        json body{{"code", code}, {"language", "ru"}, {"posters", json::array()}, {"mediaData", nullptr},
            {"entity", nullptr}, {"error", nullptr}, {"isLive", false}, {"streaming_protocol", "hls"},
            {"encrypt", true}, {"mediaType", "media"}, {"accessRestricted", nullptr}};
        int status = 200;
        if (s.video == nullptr) {
            status = 404;
            body["error"] =
                json{{"code", 404}, {"message", "media_not_found"}, {"translate", "Видео не найдено"}};
        }
        else {
            about.detail = code + " " + std::string(to_string(s.state));
            body["entity"] = json{{"code", code}, {"title", s.video->title}};
            if (s.state == watch::plays)
                body["mediaData"] = json{{"duration", s.video->seconds},
                    {"links", json{{"hls", "https://cdn.boomstream.example/" + code + "/master.m3u8"}}}};
            else
                body["accessRestricted"] =
                    json{{"message", "access_restricted"}, {"translate", "Доступ ограничен"}};
        }
        return http::response::text(status, body.dump(), "application/json; charset=utf-8");
    }

    world& w;
    int rotation = 0;
};

boomstream_api::boomstream_api(world& w) : impl_(std::make_unique<impl>(w)) {}
boomstream_api::~boomstream_api() = default;

bool boomstream_api::has_object(std::string_view object)
{
    constexpr std::array objects{"ppv", "media", "folder", "app", "playlist", "live", "conference", "stats"};
    return std::ranges::any_of(objects, [&](std::string_view known) { return lower(object) == known; });
}

http::response boomstream_api::call(const http::request& r, answering& about)
{
    return impl_->call(r, about);
}
http::response boomstream_api::player(const http::request& r, answering& about)
{
    return impl_->player(r, about);
}
http::response boomstream_api::config(const http::request& r, answering& about)
{
    return impl_->config(r, about);
}

} // namespace coursegate::sandbox
