#include "domain/texts.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <stdexcept>

namespace coursegate::web_gateway {
namespace {

using values = std::map<std::string_view, std::string>;

std::size_t column_of(std::string_view language)
{
    return language == "uk" ? 1 : language == "en" ? 2 : 0;
}

std::string fill(std::string_view key, std::string_view language, const values& with)
{
    const auto& texts = all_texts();
    const auto found = std::find_if(texts.begin(), texts.end(), [&](const text& t) { return t.key == key; });
    if (found == texts.end())
        throw std::logic_error("no text named " + std::string(key));
    const auto pattern = found->in[column_of(language)];
    std::string out;
    for (std::size_t at = 0; at < pattern.size();) {
        if (pattern[at] != '{') {
            out += pattern[at++];
            continue;
        }
        const auto end = pattern.find('}', at);
        const auto value = with.find(pattern.substr(at + 1, end - at - 1));
        if (value != with.end())
            out += value->second;
        at = end + 1;
    }
    return out;
}

std::string lesson_name(const lesson& l)
{
    return l.title.empty() ? std::to_string(l.id) : l.title;
}

// "12": minutes from now, at least 1. No clock time: the reader's zone is not known here.
std::string minutes_until(base::time_point now, base::time_point then)
{
    const auto left = std::chrono::ceil<std::chrono::minutes>(then - now).count();
    return std::to_string(std::max<std::int64_t>(1, left));
}

std::string date_of(base::time_point t)
{
    return base::to_iso8601(t).substr(0, 10);
}

std::string_view key_of(stage s, const trail& t)
{
    switch (s) {
    case stage::open:
        return "open";
    case stage::revoked:
        return "revoked";
    case stage::no_video:
        return "no_video";
    case stage::no_subscription:
        return "no_subscription";
    case stage::no_account:
        return "no_account";
    case stage::no_stepik_account:
        return "no_stepik_account";
    case stage::no_code:
        return "no_code";
    case stage::course_paused:
        return "course_paused";
    case stage::not_enrolled:
        return "not_enrolled";
    case stage::stepik_unreadable:
        return "stepik_unreadable";
    case stage::steps_missing:
        return t.progress ? "steps_missing" : "nothing_done";
    case stage::waits_for_days:
        return "waits_for_days";
    case stage::waits_for_previous:
        return "waits_for_previous";
    case stage::waits_for_author:
        return "waits_for_author";
    case stage::cannot_be_passed:
        return "cannot_be_passed";
    case stage::not_in_course:
        return "not_in_course";
    case stage::wanted:
        return t.provider && !t.provider->ok ? "provider_down" : "wanted";
    case stage::asked:
        return "asked";
    case stage::retrying:
        return "retrying";
    case stage::needs_author:
        return "needs_author";
    case stage::being_decided:
        return "being_decided";
    }
    return "being_decided";
}

} // namespace

const std::vector<text>& all_texts()
{
    static const std::vector<text> texts{
        {"open", {"Видео урока «{lesson}» открыто.", "Відео уроку «{lesson}» відкрито.",
                     "The video of “{lesson}” is open."}},
        {"open.action",
            {"Откройте урок и смотрите.", "Відкрийте урок і дивіться.", "Open the lesson and watch."}},

        {"revoked", {"Доступ к видео урока «{lesson}» закрыт ({actor}): {reason}",
                        "Доступ до відео уроку «{lesson}» закрито ({actor}): {reason}",
                        "Access to the video of “{lesson}” was closed by {actor}: {reason}"}},
        {"revoked.action",
            {"Напишите автору курса.", "Напишіть автору курсу.", "Write to the author of the course."}},

        {"no_video", {"К уроку «{lesson}» пока не добавлено видео.",
                         "До уроку «{lesson}» відео ще не додано.", "“{lesson}” has no video yet."}},
        {"no_video.action",
            {"Продолжайте курс: видео откроется само, как только автор его добавит.",
                "Продовжуйте курс: відео відкриється саме, щойно автор його додасть.",
                "Go on with the course: the video opens by itself as soon as the author adds it."}},

        {"no_subscription", {"Видео урока «{lesson}» ещё не настроено у автора.",
                                "Відео уроку «{lesson}» автор ще не налаштував.",
                                "The author has not finished setting up the video of “{lesson}”."}},
        {"no_subscription.action", {"Подождите: делать ничего не нужно, автор видит это у себя.",
                                       "Зачекайте: робити нічого не треба, автор бачить це в себе.",
                                       "Wait: there is nothing you need to do, the author can see this."}},

        {"no_account", {"Вы есть на Stepik, но ещё не вошли на наш сайт, поэтому открывать видео некому.",
                           "Ви є на Stepik, але ще не ввійшли на наш сайт, тому відкривати відео нікому.",
                           "You are on Stepik but have no account with us yet, so there is nobody to open "
                           "the video for."}},
        {"no_account.action", {"Зарегистрируйтесь: всё, что уже пройдено, откроется само.",
                                  "Зареєструйтеся: усе, що вже пройдено, відкриється саме.",
                                  "Sign up: everything you have already passed opens by itself."}},

        {"no_stepik_account",
            {"Мы не знаем, кто вы на Stepik, поэтому не видим, какие уроки вы прошли.",
                "Ми не знаємо, хто ви на Stepik, тому не бачимо, які уроки ви пройшли.",
                "We do not know who you are on Stepik, so we can't see which lessons you passed."}},
        {"no_stepik_account.action",
            {"Привяжите Stepik в профиле.", "Під’єднайте Stepik у профілі.", "Link Stepik in your profile."}},

        {"no_code", {"У вас ещё нет кода Boomstream, без него видео не откроется.",
                        "У вас ще немає коду Boomstream, без нього відео не відкриється.",
                        "You have no Boomstream code yet, and the video can't open without one."}},
        {"no_code.action", {"Попросите автора курса выдать код.", "Попросіть автора курсу видати код.",
                               "Ask the author of the course for a code."}},

        {"course_paused", {"Курс «{course}» приостановлен автором.", "Курс «{course}» призупинено автором.",
                              "The author has paused “{course}”."}},
        {"course_paused.action", {"Подождите: когда курс продолжится, пройденное откроется само.",
                                     "Зачекайте: коли курс продовжиться, пройдене відкриється саме.",
                                     "Wait: when the course goes on, what you passed opens by itself."}},

        {"not_enrolled", {"На Stepik вас нет среди учеников курса «{course}».",
                             "На Stepik вас немає серед учнів курсу «{course}».",
                             "Stepik does not list you among the students of “{course}”."}},
        {"not_enrolled.action", {"Запишитесь на курс на Stepik под тем именем, которое привязано здесь.",
                                    "Запишіться на курс на Stepik під тим ім’ям, яке під’єднане тут.",
                                    "Enrol in the course on Stepik with the account that is linked here."}},

        {"stepik_unreadable",
            {"Сейчас не получается прочитать ваши результаты на Stepik; автор об этом знает.",
                "Зараз не вдається прочитати ваші результати на Stepik; автор про це знає.",
                "Your results on Stepik can't be read at the moment; the author can see this."}},
        {"stepik_unreadable.action", {"Подождите: пройденное не пропадёт и откроется само.",
                                         "Зачекайте: пройдене не пропаде й відкриється саме.",
                                         "Wait: nothing you passed is lost, and it opens by itself."}},

        {"steps_missing",
            {"Видео откроется, когда в уроке «{lesson}» будут решены все задания: пока {passed} из {total}.",
                "Відео відкриється, коли в уроці «{lesson}» буде виконано всі завдання: поки {passed} з "
                "{total}.",
                "The video opens when all tasks of “{lesson}” are solved: {passed} of {total} so far."}},
        {"nothing_done", {"Видео откроется, когда в уроке «{lesson}» будут решены все задания.",
                             "Відео відкриється, коли в уроці «{lesson}» буде виконано всі завдання.",
                             "The video opens when all tasks of “{lesson}” are solved."}},
        {"steps_missing.action",
            {"Решите на Stepik шаг {step} этого урока.", "Виконайте на Stepik крок {step} цього уроку.",
                "Solve step {step} of this lesson on Stepik."}},
        {"nothing_done.action",
            {"Решите задания этого урока на Stepik.", "Виконайте завдання цього уроку на Stepik.",
                "Solve the tasks of this lesson on Stepik."}},

        {"waits_for_days",
            {"Видео урока «{lesson}» откроется {date}.", "Відео уроку «{lesson}» відкриється {date}.",
                "The video of “{lesson}” opens on {date}."}},
        {"waits_for_days.action",
            {"Подождите до этого дня.", "Зачекайте до цього дня.", "Wait until that day."}},

        {"waits_for_previous", {"Видео урока «{lesson}» откроется вместе с уроком «{previous}».",
                                   "Відео уроку «{lesson}» відкриється разом з уроком «{previous}».",
                                   "The video of “{lesson}” opens together with “{previous}”."}},
        {"waits_for_previous.action",
            {"Пройдите урок «{previous}» на Stepik.", "Пройдіть урок «{previous}» на Stepik.",
                "Pass “{previous}” on Stepik."}},

        {"waits_for_author",
            {"Видео урока «{lesson}» автор открывает сам.", "Відео уроку «{lesson}» автор відкриває сам.",
                "The author opens the video of “{lesson}” in person."}},
        {"waits_for_author.action",
            {"Напишите автору курса.", "Напишіть автору курсу.", "Write to the author of the course."}},

        {"cannot_be_passed",
            {"В уроке «{lesson}» нет заданий, поэтому по нынешнему правилу его видео не откроется само.",
                "В уроці «{lesson}» немає завдань, тому за нинішнім правилом його відео не відкриється саме.",
                "“{lesson}” has no tasks, so with its present rule the video does not open by itself."}},
        {"cannot_be_passed.action",
            {"Напишите автору курса.", "Напишіть автору курсу.", "Write to the author of the course."}},

        {"not_in_course", {"Урока «{lesson}» больше нет в курсе «{course}» на Stepik.",
                              "Уроку «{lesson}» більше немає в курсі «{course}» на Stepik.",
                              "“{lesson}” is no longer part of “{course}” on Stepik."}},
        {"not_in_course.action",
            {"Продолжайте курс со следующего урока.", "Продовжуйте курс з наступного уроку.",
                "Go on with the next lesson of the course."}},

        {"wanted", {"Урок «{lesson}» засчитан, видео стоит в очереди на открытие.",
                       "Урок «{lesson}» зараховано, відео стоїть у черзі на відкриття.",
                       "“{lesson}” counts as done, and its video is waiting in line to be opened."}},
        {"wanted.action", {"Загляните через несколько минут.", "Зазирніть за кілька хвилин.",
                              "Look again in a few minutes."}},

        {"provider_down",
            {"Урок «{lesson}» засчитан, но Boomstream сейчас не отвечает; автор об этом знает.",
                "Урок «{lesson}» зараховано, але Boomstream зараз не відповідає; автор про це знає.",
                "“{lesson}” counts as done, but Boomstream does not answer at the moment; the author can see "
                "this."}},
        {"provider_down.action", {"Подождите: видео откроется само, когда связь восстановится.",
                                     "Зачекайте: відео відкриється саме, коли зв’язок відновиться.",
                                     "Wait: the video opens by itself when the connection is back."}},

        {"asked", {"Видео урока «{lesson}» открывается прямо сейчас.",
                      "Відео уроку «{lesson}» відкривається просто зараз.",
                      "The video of “{lesson}” is being opened right now."}},
        {"asked.action", {"Обновите страницу через минуту.", "Оновіть сторінку за хвилину.",
                             "Reload the page in a minute."}},

        {"retrying",
            {"Видео урока «{lesson}» не открылось с первого раза; следующая попытка через {minutes} мин.",
                "Відео уроку «{lesson}» не відкрилося з першого разу; наступна спроба за {minutes} хв.",
                "The video of “{lesson}” did not open at the first try; the next one is in {minutes} min."}},
        {"retrying.action",
            {"Подождите: попытка будет сделана сама.", "Зачекайте: спробу буде зроблено автоматично.",
                "Wait: it is tried again by itself."}},

        {"needs_author",
            {"Видео урока «{lesson}» не удалось открыть; это должен исправить автор.",
                "Відео уроку «{lesson}» не вдалося відкрити; це має виправити автор.",
                "The video of “{lesson}” could not be opened, and the author has to put it right."}},
        {"needs_author.action",
            {"Напишите автору курса.", "Напишіть автору курсу.", "Write to the author of the course."}},

        {"being_decided", {"Всё готово: видео урока «{lesson}» вот-вот откроется.",
                              "Усе готово: відео уроку «{lesson}» ось-ось відкриється.",
                              "Everything is there: the video of “{lesson}” is about to open."}},
        {"being_decided.action", {"Обновите страницу через минуту.", "Оновіть сторінку за хвилину.",
                                     "Reload the page in a minute."}},
    };
    return texts;
}

student_answer tell_student(const trail& t, stage s, std::string_view language, const day_words& day)
{
    values with{{"lesson", lesson_name(t.lesson)}, {"course", t.course.name()}};
    student_answer out;
    auto action = std::string(key_of(s, t)) + ".action";

    if (const auto closed = closed_by(t)) {
        with["actor"] = closed->actor;
        with["reason"] = closed->reason;
    }
    if (s == stage::retrying) {
        const auto failed = std::find_if(t.grants.begin(), t.grants.end(),
            [](const trail_grant& g) { return g.state == "failed" && g.next_try_at; });
        with["minutes"] = minutes_until(t.now, *failed->next_try_at);
    }
    if (const auto opens = opens_on(t))
        with["date"] = day ? day(*opens) : date_of(*opens);
    if (t.previous)
        with["previous"] = lesson_name(*t.previous);
    if (s == stage::waits_for_previous)
        out.link = stepik_link(t.previous->id, {});
    if (s == stage::not_enrolled)
        out.link = "https://stepik.org/course/" + std::to_string(t.course.id);
    if (s == stage::steps_missing) {
        out.link = stepik_link(t.lesson.id, {});
        if (t.progress) {
            with["passed"] = std::to_string(t.progress->steps_passed);
            with["total"] = std::to_string(t.progress->steps_total);
        }
        if (t.progress && !t.progress->missing.empty() && t.progress->missing.front().position) {
            const auto position = *t.progress->missing.front().position;
            with["step"] = std::to_string(position);
            out.link = stepik_link(t.lesson.id, position);
        }
        else
            action = "nothing_done.action";
    }
    out.sentence = fill(key_of(s, t), language, with);
    out.action = fill(action, language, with);
    return out;
}

std::optional<std::string> preferred_language(std::string_view accept_language)
{
    std::optional<std::string> best;
    double best_weight = 0;
    while (!accept_language.empty()) {
        const auto comma = accept_language.find(',');
        auto range = accept_language.substr(0, comma);
        accept_language.remove_prefix(comma == accept_language.npos ? accept_language.size() : comma + 1);

        double weight = 1;
        if (const auto q = range.find(";q="); q != range.npos) {
            const auto digits = range.substr(q + 3);
            if (std::from_chars(digits.data(), digits.data() + digits.size(), weight).ec != std::errc())
                weight = 0;
            range = range.substr(0, q);
        }
        const auto first = range.find_first_not_of(' ');
        if (first == range.npos || range.size() < first + 2)
            continue;
        std::string language(range.substr(first, 2));
        std::transform(language.begin(), language.end(), language.begin(),
            [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        const bool whole = range.size() == first + 2 || range[first + 2] == '-' || range[first + 2] == ' ';
        if (whole && weight > best_weight && (language == "ru" || language == "uk" || language == "en")) {
            best = language;
            best_weight = weight;
        }
    }
    return best;
}

} // namespace coursegate::web_gateway
