#include "clients/boomstream_client.hpp"

#include "clients/boomstream_answers.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/metrics/metrics.hpp"
#include "domain/moscow_time.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::boomstream_grant {

namespace {

constexpr std::size_t answer_limit = 1024 * 1024;
constexpr std::size_t list_limit = 256 * 1024 * 1024; // some 300 bytes a buyer

nlohmann::json common()
{
    return {{"ver", "1.2"}, {"format", "json"}};
}

// A broken character in somebody's e-mail address is replaced, not thrown at the worker.
std::string text_of(const nlohmann::json& body)
{
    return body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

answers::raw raw_of(const http::client_response& r)
{
    answers::raw out;
    out.status = r.status;
    out.body = r.body;
    out.retry_after = r.retry_after();
    return out;
}

void count(std::string_view method, std::string_view how)
{
    metrics::get_counter("coursegate_boomstream_calls_total", "Calls to Boomstream by method and outcome",
        {{"method", std::string(method)}, {"outcome", std::string(how)}})
        .increment();
}

template <class T>
answer<T> counted(std::string_view method, answer<T> a)
{
    count(method, a.has_value() ? "ok" : to_string(a.error().code));
    return a;
}

} // namespace

boomstream_client::boomstream_client(http::client& web, boomstream_settings s)
    : web_(web), settings_(std::move(s))
{}

async::task<answer<http::client_response>> boomstream_client::post(
    std::string method, base::secret api_key, std::string body, std::size_t max_response_bytes)
{
    http::client_request request;
    request.method = "POST";
    request.url = settings_.url + "/api/ppv/" + method;
    request.headers.set("Authorization", "Bearer " + api_key.expose());
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Accept", "application/json");
    request.body = std::move(body);
    request.deadline = settings_.deadline;
    request.max_response_bytes = max_response_bytes;
    auto sent = co_await web_.send(std::move(request));
    if (sent.has_value())
        co_return std::move(*sent);

    refusal failed;
    failed.message = sent.error().detail;
    if (sent.error().code == http::errc::circuit_open)
        failed.code = outcome::circuit_open;
    else
        failed.code = http::surely_not_sent(sent.error()) ? outcome::not_sent : outcome::unknown;
    count(method, to_string(failed.code));
    co_return failed;
}

async::task<answer<granted>> boomstream_client::put_buyer(std::string method, access a)
{
    auto body = common();
    body["code"] = a.subscription;
    body["media"] = a.media;
    body["email"] = a.email;
    body["hash"] = a.hash.expose();
    body["notification"] = 0; // Boomstream writes no mail: we tell the student ourselves
    body["access_expire"] = to_moscow(a.ends_at);
    auto text = text_of(body);
    auto sent = co_await post(method, a.api_key, std::move(text), answer_limit);
    if (!sent.has_value())
        co_return sent.error();
    const answers::unspeakable secrets{a.api_key, a.hash};
    co_return counted(method, answers::read_grant(raw_of(*sent), secrets));
}

async::task<answer<granted>> boomstream_client::grant(access a)
{
    std::string method = "addbuyer";
    co_return co_await put_buyer(std::move(method), std::move(a));
}

async::task<answer<granted>> boomstream_client::extend(access a)
{
    std::string method = "updatebuyer";
    co_return co_await put_buyer(std::move(method), std::move(a));
}

async::task<answer<void>> boomstream_client::revoke(
    base::secret api_key, std::string subscription, base::secret hash)
{
    const std::string method = "deletebuyer";
    auto body = common();
    body["code"] = subscription;
    body["hash"] = hash.expose();
    auto text = text_of(body);
    auto sent = co_await post(method, api_key, std::move(text), answer_limit);
    if (!sent.has_value())
        co_return sent.error();
    const answers::unspeakable secrets{api_key, hash};
    co_return counted(method, answers::read_revoke(raw_of(*sent), secrets));
}

async::task<answer<std::vector<listed_buyer>>> boomstream_client::list(
    base::secret api_key, std::string subscription)
{
    const std::string method = "listbuyers";
    auto body = common();
    body["code"] = subscription;
    auto text = text_of(body);
    auto sent = co_await post(method, api_key, std::move(text), list_limit);
    if (!sent.has_value())
        co_return sent.error();
    const base::secret nobody;
    const answers::unspeakable secrets{api_key, nobody};
    co_return counted(method, answers::read_list(raw_of(*sent), secrets));
}

base::secret boomstream_client::playback_link(const std::string& media, const base::secret& hash) const
{
    return base::secret(settings_.play_url + "/" + base::percent_encode(media) +
                        "?id_recovery=" + base::percent_encode(hash.expose()));
}

std::string boomstream_client::circuit() const
{
    return web_.circuit_state(settings_.url);
}

} // namespace coursegate::boomstream_grant
