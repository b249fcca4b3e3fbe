#include "clients/stepik_course.hpp"

#include "clients/json_member.hpp"

#include "coursegate/base/encoding.hpp"

namespace coursegate::web_gateway {
namespace {

using namespace std::chrono_literals;

constexpr auto call_deadline = 6s; // the author waits, for up to four calls within a request's 30 s
constexpr std::size_t largest_answer = 1024 * 1024;

stepik_course_view only(course_fault f)
{
    stepik_course_view out;
    out.faults.push_back(f);
    return out;
}

// What Stepik says to the application itself; a proxy's 403 is not about it.
course_fault fault_of_token(const http::client_response& answer)
{
    if (answer.status == 429 || answer.status == 497)
        return course_fault::stepik_busy;
    const auto j = nlohmann::json::parse(answer.body, nullptr, false);
    const auto said = j.is_object() ? text_of(j, "error") : std::string();
    const bool is_refused =
        answer.status == 401 ||
        (answer.status == 400 && (said == "invalid_client" || said == "unauthorized_client"));
    return is_refused ? course_fault::wrong_secret : course_fault::stepik_away;
}

bool may_see_grades(const nlohmann::json& course)
{
    const nlohmann::json::json_pointer enabled("/actions/view_grade_book/enabled");
    return course.contains(enabled) && course.at(enabled) == true;
}

stepik_course_view read_course(const http::client_response& answer, std::int64_t course_id)
{
    if (answer.status == 429)
        return only(course_fault::stepik_busy);
    if (answer.status == 401)
        return only(course_fault::wrong_secret);
    if (answer.status == 403 || answer.status == 404)
        return only(course_fault::course_not_found);
    const auto j = nlohmann::json::parse(answer.body, nullptr, false);
    const auto list = j.is_object() ? j.find("courses") : j.end();
    if (answer.status != 200 || !j.is_object() || list == j.end() || !list->is_array())
        return only(course_fault::stepik_away);
    if (list->empty())
        return only(course_fault::course_not_found);
    const auto& course = list->front();
    if (!course.is_object() || !course.contains("id") || course.at("id") != course_id)
        return only(course_fault::stepik_away);
    stepik_course_view out;
    out.title = text_of(course, "title");
    if (!may_see_grades(course))
        out.faults.push_back(course_fault::grade_book_not_visible);
    const auto learners = course.find("learners_group");
    if (learners == course.end() || !learners->is_number_integer())
        out.faults.push_back(course_fault::learners_not_visible);
    return out;
}

} // namespace

async::task<stepik_course_view> stepik_course::look(stepik_application app)
{
    http::client_request ask;
    ask.method = "POST";
    ask.url = url_ + "/oauth2/token/";
    ask.headers.set("Content-Type", "application/x-www-form-urlencoded");
    ask.headers.set("Accept", "application/json");
    ask.headers.set(
        "Authorization", "Basic " + base::to_base64(base::percent_encode(app.client_id) + ":" +
                                                    base::percent_encode(app.client_secret.expose())));
    ask.body = "grant_type=client_credentials";
    ask.deadline = call_deadline;
    ask.max_response_bytes = largest_answer;
    const auto given = co_await web_.send(std::move(ask));
    if (!given.has_value())
        co_return only(course_fault::stepik_away);
    if (given->status != 200)
        co_return only(fault_of_token(*given));
    const auto j = nlohmann::json::parse(given->body, nullptr, false);
    const base::secret token(j.is_object() ? text_of(j, "access_token") : std::string());
    if (token.empty())
        co_return only(course_fault::stepik_away);

    http::client_request read;
    read.url = url_ + "/api/courses/" + std::to_string(app.course_id);
    read.headers.set("Authorization", "Bearer " + token.expose());
    read.headers.set("Accept", "application/json");
    read.deadline = call_deadline;
    read.max_response_bytes = largest_answer;
    const auto answer = co_await web_.send(std::move(read));
    if (!answer.has_value())
        co_return only(course_fault::stepik_away);
    co_return read_course(*answer, app.course_id);
}

} // namespace coursegate::web_gateway
