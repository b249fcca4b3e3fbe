// Texts and times of one page, in its reader's words.
#pragma once

#include "handlers/visitor.hpp"
#include "pages/pages.hpp"

#include <string>
#include <string_view>

namespace coursegate::web_gateway {

class page_words
{
public:
    page_words(const gateway& g, const visitor& who) : pages_(g.pages), reader_(reader_of(who)) {}

    std::string text(std::string_view msgid, const values& with = {}) const
    {
        return pages_.text(reader_.language, msgid, with);
    }
    std::string plural(std::string_view one, std::string_view many, std::int64_t n) const
    {
        return pages_.text(reader_.language, one, many, n);
    }
    std::string number(std::int64_t n) const { return whole_number(n, reader_.language); }
    std::string moment(base::time_point t) const { return pages_.moment(t, now_, reader_); }
    std::string ago(base::time_point t) const { return pages_.ago(t, now_, reader_); }
    std::string day(base::time_point t) const { return pages_.day(t, reader_); }

private:
    const pages& pages_;
    reader reader_;
    base::time_point now_ = base::now();
};

} // namespace coursegate::web_gateway
