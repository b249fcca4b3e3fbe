// Stepik, asked once with an author's application: does it let us read this course? Nothing is kept: reading
// the course for good is stepik-sync's.
#pragma once

#include "domain/course_check.hpp"

#include "coursegate/async/task.hpp"
#include "coursegate/base/secret.hpp"
#include "coursegate/http/client.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace coursegate::web_gateway {

struct stepik_application
{
    std::int64_t course_id = 0;
    std::string client_id;
    base::secret client_secret;
};

struct stepik_course_view
{
    std::vector<course_fault> faults;
    std::string title; // as Stepik has it; empty where it was not read
};

// Lives on one executor. Both calls only read, so a crash during them leaves nothing anywhere. Answers are
// never logged.
class stepik_course
{
public:
    stepik_course(http::client& web, std::string url) : web_(web), url_(std::move(url)) {}

    // A token by the application's id and secret, then the course as its owner sees it.
    async::task<stepik_course_view> look(stepik_application app);

private:
    http::client& web_;
    std::string url_; // https://stepik.org
};

} // namespace coursegate::web_gateway
