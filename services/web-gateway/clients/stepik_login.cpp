#include "clients/stepik_login.hpp"

#include "coursegate/base/encoding.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::web_gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto call_deadline = 10s; // the person waits
constexpr std::size_t largest_answer = 256 * 1024;

base::error no_answer(const char* whose, int status)
{
    return base::fail(oidc_errc::unreachable, std::string(whose) + " answered " + std::to_string(status));
}

} // namespace

std::string stepik_login::address_of(const std::string& redirect_uri, const std::string& state) const
{
    return settings_.url +
           "/oauth2/authorize/?response_type=code&client_id=" + base::percent_encode(settings_.client_id) +
           "&redirect_uri=" + base::percent_encode(redirect_uri) +
           "&scope=read&state=" + base::percent_encode(state);
}

async::task<base::result<base::secret>> stepik_login::token(std::string code, std::string redirect_uri)
{
    http::client_request request;
    request.method = "POST";
    request.url = settings_.url + "/oauth2/token/";
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    request.headers.set("Accept", "application/json");
    request.headers.set(
        "Authorization", "Basic " + base::to_base64(base::percent_encode(settings_.client_id) + ":" +
                                                    base::percent_encode(settings_.client_secret.expose())));
    request.body = "grant_type=authorization_code&code=" + base::percent_encode(code) +
                   "&redirect_uri=" + base::percent_encode(redirect_uri);
    request.deadline = call_deadline;
    request.max_response_bytes = largest_answer;
    const auto answer = co_await web_.send(std::move(request));
    if (!answer.has_value())
        co_return base::fail(oidc_errc::unreachable, answer.error().code.message());
    if (answer->status == 400 || answer->status == 401)
        co_return base::fail(
            oidc_errc::refused, "Stepik's token endpoint answered " + std::to_string(answer->status));
    if (answer->status != 200)
        co_return no_answer("Stepik's token endpoint", answer->status);
    const auto j = nlohmann::json::parse(answer->body, nullptr, false);
    const auto at = j.is_object() ? j.find("access_token") : j.end();
    if (!j.is_object() || at == j.end() || !at->is_string() || at->get_ref<const std::string&>().empty())
        co_return base::fail(oidc_errc::bad_answer, "Stepik's token endpoint gave no token");
    co_return base::secret(at->get<std::string>());
}

async::task<base::result<std::int64_t>> stepik_login::redeem(std::string code, std::string redirect_uri)
{
    const auto given = co_await token(std::move(code), std::move(redirect_uri));
    if (!given.has_value())
        co_return given.error();
    http::client_request request;
    request.url = settings_.url + "/api/stepics/1"; // always the one whom the token belongs to
    request.headers.set("Authorization", "Bearer " + given->expose());
    request.headers.set("Accept", "application/json");
    request.deadline = call_deadline;
    request.max_response_bytes = largest_answer;
    request.retries = 1;
    const auto answer = co_await web_.send(std::move(request));
    if (!answer.has_value())
        co_return base::fail(oidc_errc::unreachable, answer.error().code.message());
    if (answer->status != 200)
        co_return no_answer("Stepik's stepics/1", answer->status);
    const auto j = nlohmann::json::parse(answer->body, nullptr, false);
    const nlohmann::json::json_pointer user("/users/0/id");
    const nlohmann::json::json_pointer guest("/profiles/0/is_guest");
    if (!j.is_object() || !j.contains(user) || !j.at(user).is_number_integer() ||
        j.at(user).get<std::int64_t>() <= 0)
        co_return base::fail(oidc_errc::bad_answer, "Stepik did not say whose the token is");
    if (j.contains(guest) && j.at(guest) == true)
        co_return base::fail(oidc_errc::refused, "the account at Stepik is a guest's");
    co_return j.at(user).get<std::int64_t>();
}

} // namespace coursegate::web_gateway
