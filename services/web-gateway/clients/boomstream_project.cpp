#include "clients/boomstream_project.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace coursegate::web_gateway {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr auto call_deadline = 6s;                       // as Stepik's
constexpr std::size_t largest_answer = 16 * 1024 * 1024; // some 5 KB a video

std::string lower(std::string_view text)
{
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(),
        [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
}

// Member `name` in any spelling; nullptr without.
const json* member(const json& object, std::string_view name)
{
    if (!object.is_object())
        return nullptr;
    for (auto it = object.begin(); it != object.end(); ++it)
        if (lower(it.key()) == name)
            return &*it;
    return nullptr;
}

std::string text(const json& object, std::string_view name)
{
    const auto* found = member(object, name);
    return found && found->is_string() ? found->get<std::string>() : std::string();
}

// Words seen in answers to a wrong key; "Application not found" is one of them, so this is asked first.
bool is_about_the_key(const std::string& message)
{
    constexpr std::array<std::string_view, 5> phrases{
        "api key", "apikey", "unauthorized", "application not found", "access denied"};
    return std::any_of(
        phrases.begin(), phrases.end(), [&](auto p) { return message.find(p) != message.npos; });
}

struct reading
{
    std::optional<course_fault> fault{};
    json content;
};

// HTTP 200 says nothing: `Status` does, and may be left out.
reading read(const base::result<http::client_response>& answer)
{
    reading out;
    out.fault = course_fault::boomstream_away;
    if (!answer.has_value())
        return out;
    out.content = json::parse(answer->body, nullptr, false);
    const auto said = lower(text(out.content, "message"));
    if (answer->status == 401 || answer->status == 403 || is_about_the_key(said)) {
        out.fault = course_fault::wrong_api_key;
        return out;
    }
    if (answer->status != 200 || !out.content.is_object())
        return out;
    const auto status = lower(text(out.content, "status"));
    if (status.empty() || status == "success")
        out.fault.reset();
    else if (said.find("not found") != said.npos && said.find("method not found") == said.npos)
        out.fault = course_fault::subscription_not_found;
    else
        out.fault = course_fault::boomstream_unclear;
    return out;
}

// A list comes as [...], {"Item": [...]} or {"Item": {...}}; an empty one also as "" or null. nullopt: none.
std::optional<std::vector<json>> list_of(const json& content, std::string_view name)
{
    const auto* list = member(content, name);
    if (!list)
        return std::nullopt;
    if (const auto* inner = member(*list, "item"))
        list = inner;
    if (list->is_array())
        return std::vector<json>(list->begin(), list->end());
    if (list->is_object() && !list->empty())
        return std::vector<json>{*list};
    return std::vector<json>();
}

std::optional<std::vector<boomstream_video>> videos_of(const json& content)
{
    auto items = list_of(content, "medias");
    if (!items)
        items = list_of(content, "items");
    if (!items)
        return std::nullopt;
    std::vector<boomstream_video> out;
    for (const auto& item : *items)
        if (auto code = text(item, "code"); !code.empty())
            out.push_back({std::move(code), text(item, "title")});
    return out;
}

} // namespace

async::task<base::result<http::client_response>> boomstream_project::post(std::string method,
    base::secret api_key, std::optional<std::string> subscription, std::chrono::milliseconds deadline)
{
    json body;
    body["ver"] = "1.2";
    body["format"] = "json";
    if (subscription)
        body["code"] = *subscription;
    http::client_request request;
    request.method = "POST";
    request.url = url_ + "/api/ppv/" + method;
    request.headers.set("Authorization", "Bearer " + api_key.expose());
    request.headers.set("Content-Type", "application/json");
    request.headers.set("Accept", "application/json");
    request.body = body.dump();
    request.deadline = deadline;
    request.max_response_bytes = largest_answer;
    co_return co_await web_.send(std::move(request));
}

async::task<std::optional<course_fault>> boomstream_project::look(base::secret api_key)
{
    std::string method = "list";
    std::optional<std::string> none;
    auto answer = co_await post(std::move(method), std::move(api_key), std::move(none), call_deadline);
    const auto fault = read(answer).fault;
    // That a project has nothing to list is no fault of its key.
    co_return fault == course_fault::subscription_not_found ? std::nullopt : fault;
}

async::task<subscription_view> boomstream_project::videos(
    base::secret api_key, std::string subscription, std::chrono::milliseconds deadline)
{
    std::string method = "listmedia";
    std::optional<std::string> code = std::move(subscription);
    auto answer = co_await post(std::move(method), std::move(api_key), std::move(code), deadline);
    auto got = read(answer);
    subscription_view out;
    out.fault = got.fault;
    if (!got.fault)
        out.videos = videos_of(got.content);
    co_return out;
}

async::task<subscription_view> boomstream_project::look(base::secret api_key, std::string subscription)
{
    auto out = co_await videos(api_key, subscription, call_deadline);
    if (out.fault)
        co_return out;
    std::string method = "info";
    std::optional<std::string> code = std::move(subscription);
    auto answer = co_await post(std::move(method), std::move(api_key), std::move(code), call_deadline);
    const auto got = read(answer);
    const auto items = got.fault ? std::nullopt : list_of(got.content, "items");
    if (items && items->size() == 1) {
        const auto kind = lower(text(items->front(), "type"));
        if (kind == "group" || kind == "single")
            out.kind = kind;
    }
    co_return out;
}

} // namespace coursegate::web_gateway
